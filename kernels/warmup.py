"""Compiles, or loads from the cache, every pass in the background, while the user's program still imports."""

import atexit
import os
import threading
import time
from collections.abc import Iterator

import numpy as np

from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.selection import select

#: In the order in which programs are likely to need them; the 16-bit formats share their passes.
_DTYPES = (("float32", None), ("uint16", "bfloat16"), ("float64", None))


class Warmup:
    """One background warm-up: a daemon thread that calls each pass once per dtype.

    A call of a pass that is not ready yet waits for its compilation, whoever started it.
    """

    def __init__(self) -> None:
        self.seconds = 0.0  # that the thread took
        self.failure: str | None = None  # why it stopped early, as a sentence
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="hypocenter-warmup", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the passes are ready, at most `timeout` seconds; true when they are."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Stop after the pass that is being compiled, and wait for that."""
        self._stopped = True
        self.wait()

    def _run(self) -> None:
        start = time.perf_counter()
        try:
            for _ in calls(select().kernels):
                if self._stopped:
                    break
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the reason is kept
            self.failure = f"the kernels could not be warmed up ({type(error).__name__}: {error})."
        self.seconds = time.perf_counter() - start


def calls(kernels: Kernels) -> Iterator[str]:
    """Call each pass for each dtype on a tiny tensor; yields the dtype after each call."""
    out, other = np.empty(14), np.empty(14)
    for dtype, meaning in _DTYPES:
        x = np.zeros((2, 2, 2), dtype)
        zeros, saturated = np.zeros(2, np.int64), np.zeros(2, np.int64)
        kernels.statistics(x, out, dtype=meaning)
        yield dtype
        kernels.unit_statistics(x, out, 0.0, 1.0, 2, zeros, saturated, meaning)
        yield dtype
        kernels.gradient_statistics(x, x.copy(), out, np.empty(2), meaning)
        yield dtype
        kernels.update_statistics(x, x.copy(), out, other, meaning)
        yield dtype
        kernels.unit_statistics(x, out, 0.0, 1.0, 1, zeros, saturated, meaning)
        yield dtype
        kernels.nonfinite(x, meaning)
        yield dtype


_lock = threading.Lock()
_started: list[Warmup] = []


def warm_up() -> Warmup:
    """Start the warm-up, once per process; later calls return the same one."""
    with _lock:
        if not _started:
            warmup = Warmup()
            atexit.register(warmup.stop)  # the interpreter must not end inside the compiler
            if hasattr(os, "register_at_fork"):
                # A fork during a compilation would leave the child a lock that nobody opens.
                os.register_at_fork(before=warmup.wait)
            _started.append(warmup)
        return _started[0]
