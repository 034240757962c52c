"""What probes do while the user's program runs happens inside `Work`: timed, unseen by observers, and safe."""

import os
import time
from collections.abc import Callable
from types import TracebackType

from hypocenter.probes.fx.stack import quiet
from hypocenter.probes.recorder import Recorder

#: Set, a failure of ours is raised where it happens instead of being recorded; our own tests run so.
STRICT = "HYPOCENTER_STRICT"

#: Failures after which observing is given up: each of them costs time and tells the same.
MAX_FAILURES = 20


class Work:
    """A context, entered again and again, for what an observer does on its own account.

    1. Its time counts as time spent in probes; of nested ones the outermost counts.
    2. What it calls of PyTorch is not observed, by this observer or another.
    3. An exception is a bug of ours, and no reason to end the user's training: it becomes a `warning` event, and
       the program goes on. Interrupts pass.

    Args:
        recorder: Takes the time and the warnings.
        give_up: Called after so many failures that observing makes no sense.

    Attributes:
        failures: Exceptions so far.
    """

    __slots__ = ("_began", "_depth", "_give_up", "_quiet", "_recorder", "failures")

    def __init__(self, recorder: Recorder, give_up: Callable[[], None]) -> None:
        self.failures = 0
        self._recorder = recorder
        self._give_up = give_up
        self._depth = 0
        self._began = 0.0
        self._quiet = False

    def __enter__(self) -> None:
        if self._depth == 0:
            self._quiet, quiet.active = quiet.active, True
            self._began = time.perf_counter()
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._depth -= 1
        if self._depth == 0:
            quiet.active = self._quiet
            self._recorder.probe_seconds += time.perf_counter() - self._began
        if not isinstance(error, Exception) or os.environ.get(STRICT):
            return False
        self.failures += 1
        self._tell(error)
        return True

    def _tell(self, error: Exception) -> None:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = "" if frame is None else f" in {frame.tb_frame.f_code.co_name}, line {frame.tb_lineno}"
        message = f"Something could not be observed: {type(error).__name__}{where}: {error}"
        if self.failures >= MAX_FAILURES:
            self._give_up()
            message += f" This was the failure number {self.failures}, so observing was given up."
        self._recorder.event("warning", message=message)
