"""A script under observation: `hypocenter run`.

Until the script itself imports numpy or PyTorch nothing of ours does, so that what it sets before (such as
`OMP_NUM_THREADS`) counts as it would without us. Its import of numpy then starts the warm-up of the kernels.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from hypocenter import runner
from hypocenter.config import Options
from hypocenter.errors import StorageError
from hypocenter.imports import after_import
from hypocenter.probes.folders import new_run_folder
from hypocenter.runner import Outcome, Target

if TYPE_CHECKING:
    from hypocenter.report.model import Report
    from hypocenter.watch import Watch

#: Seconds between two looks for an error with `--stop-on error`, at least; and how many times as long as a look takes.
LOOK_PERIOD = 2.0
LOOK_SHARE = 10.0


class ScriptSession:
    """Runs a script, watches every model that it trains, and reports.

    Args:
        target: The script or module.
        args: Its own arguments.
        options: How to watch and report.

    Raises:
        StorageError: The run folder cannot be made.
    """

    def __init__(self, target: Target | str, args: Sequence[str], options: Options) -> None:
        self._target = target
        self._args = list(args)
        self._options = options
        self._folder = new_run_folder()
        self._watch: Watch | None = None
        self._next_look = 0.0
        self._stderr = sys.stderr  # the program may replace it
        self._announced = False

    def run_script(self) -> "tuple[Report | None, Outcome]":
        """Run it; the report comes also when the script failed."""
        disarm: list[Callable[[], None]] = [
            after_import("numpy", self._numpy_imported),
            after_import("torch", self._torch_imported),
        ]
        try:
            outcome = runner.run(self._target, self._args)
        except BaseException:
            self._discard_folder()
            raise
        finally:
            for hook in disarm:
                hook()
            if self._watch is not None:
                self._watch.leave()
        watch = self._start()
        watch.end(outcome.ended, outcome.exception)
        report = self._report(watch)
        if watch.recorder.storage_error is None:
            self._save(report)
            watch.keep_findings(report.to_dict()["findings"])
        return report, outcome

    def _start(self) -> "Watch":
        if self._watch is None:
            from hypocenter.watch import Watch

            self._watch = Watch(str(self._target), self._args, self._folder.absolute(), self._options.every)
        return self._watch

    def _numpy_imported(self) -> None:
        self._start()

    def _torch_imported(self) -> None:
        from hypocenter.kernels import select
        from hypocenter.lower.fx.script import watch_script
        from hypocenter.rewrite.plan import decide

        watch = self._start()
        watch.torch_found()
        self._next_look = time.monotonic() + LOOK_PERIOD
        live = watch_script(watch.recorder, select().kernels, watch.schedule, decide, self._checkpoint)
        watch.attach(live)

    def _checkpoint(self) -> None:
        """Save the graph, and end the script if it was asked to end at the first error."""
        watch = self._start()
        watch.save_graph()
        self._announce(len(watch.live.ir))
        if self._options.stop_on == "never" or time.monotonic() < self._next_look:
            return
        began = time.monotonic()
        report = self._report(watch)
        now = time.monotonic()
        self._next_look = now + max(LOOK_PERIOD, LOOK_SHARE * (now - began))
        if report.failing("error"):
            raise runner.Stop

    def _announce(self, nodes: int) -> None:
        """One line on a terminal when there is something to see, so that the user knows that he is watched."""
        if self._announced or not nodes or self._options.quiet or not _on_terminal(self._stderr):
            return
        self._announced = True
        self._stderr.write(f"hypocenter: watching {nodes} operations, recording to {self._folder}\n")
        self._stderr.flush()

    def _report(self, watch: "Watch") -> "Report":
        from hypocenter.report.assembly import report_of

        options = self._options
        return report_of(watch.run(), select=options.select, ignore=options.ignore, budget=options.budget)

    def _save(self, report: "Report") -> None:
        from hypocenter.report.renderers import Surface, renderer, save

        folder = Path(report.run or self._folder)
        try:
            for name in ("json", "html"):
                save(renderer(name).render(report, Surface()), folder / f"report.{name}")
        except StorageError as error:  # no reason not to show the report
            with suppress(AttributeError, OSError, ValueError):  # nor is a stderr that is closed or full
                self._stderr.write(f"hypocenter: {error}\n")

    def _discard_folder(self) -> None:
        """Nothing was run: leave no empty folder behind."""
        if self._watch is None:
            self._folder.rmdir()


def _on_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
