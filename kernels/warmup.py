"""Compiles, or loads from the cache, every pass in the background, while the user's program still imports."""

import atexit
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from hypocenter.errors import HypocenterError
from hypocenter.kernels.figures import WIDTH
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.selection import select, without_cache

#: In the order in which programs are likely to need them; the two 16-bit formats share their passes.
DTYPES: Final = (("float32", None), ("uint16", "bfloat16"), ("float64", None))

#: Seconds that an exit or a fork waits at most for the compiler; all passes together take about 10 s uncached.
PATIENCE: Final = 60.0


class Warmup:
    """One background warm-up: a daemon thread that calls each pass once per dtype.

    A call of a pass that is not ready yet is right all the same: it waits for its compilation, whoever started it.
    """

    def __init__(self) -> None:
        self.seconds = 0.0  # that the thread took
        self.failure: str | None = None  # why it stopped early, as a sentence
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="hypocenter-warmup", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the warm-up has ended, at most `timeout` seconds; true when it has."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End the warm-up after the pass that is being compiled, and wait for that."""
        self._stopped = True
        self.wait(PATIENCE)

    def _run(self) -> None:
        start = time.perf_counter()
        try:
            kernels = select().kernels
            try:
                self._call_all(kernels)
            except Exception as error:  # noqa: BLE001 - a cache that fails here must not fail in the user's training
                without_cache(error)
                self._call_all(kernels)
        except HypocenterError as error:
            self.failure = str(error)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the reason is kept
            self.failure = f"The kernels could not be warmed up ({type(error).__name__}: {error})."
        self.seconds = time.perf_counter() - start

    def _call_all(self, kernels: Kernels) -> None:
        for call in calls(kernels):
            if self._stopped:
                return
            call()


def calls(kernels: Kernels) -> list[Callable[[], object]]:
    """A call of each pass for each dtype on a tiny tensor, in the order in which they are likely to be needed."""
    prepared: list[Callable[[], object]] = []
    out, other, relevance = np.empty(WIDTH), np.empty(WIDTH), np.empty(2)
    zeros, saturated = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for dtype, meaning in DTYPES:
        x = np.zeros((2, 2, 2), dtype)
        prepared += [
            partial(kernels.statistics, x, out, dtype=meaning),
            partial(kernels.unit_statistics, x, out, 0.0, 1.0, 2, zeros, saturated, meaning),
            partial(kernels.gradient_statistics, x, x.copy(), out, relevance, meaning),
            partial(kernels.update_statistics, x, x.copy(), out, other, meaning),
            partial(kernels.unit_statistics, x, out, 0.0, 1.0, 1, zeros, saturated, meaning),
            partial(kernels.nonfinite, x, meaning),
        ]
    one, two = np.zeros(4, np.float32), np.zeros(4, np.float32)
    addresses, others, sizes = (np.array([value]) for value in (one.ctypes.data, two.ctypes.data, one.size))
    rows, more = np.empty((1, WIDTH)), np.empty((1, WIDTH))
    keep = (one, two)  # alive as long as the calls
    return [
        *prepared[:6],
        partial(_with, keep, kernels.statistics_table, addresses, sizes, rows),
        partial(_with, keep, kernels.update_table, addresses, others, sizes, rows, more),
        *prepared[6:],
    ]


def _with(keep: object, call: Callable[..., object], *args: object) -> object:
    """Call while `keep` is alive."""
    del keep
    return call(*args)


class _Process:
    """The warm-up of this process."""

    lock = threading.Lock()
    warmup: Warmup | None = None


def warm_up() -> Warmup:
    """Start the warm-up, once per process; later calls return the same one."""
    with _Process.lock:
        if _Process.warmup is None:
            warmup = _Process.warmup = Warmup()
            atexit.register(warmup.stop)  # the interpreter must not end inside the compiler
            if hasattr(os, "register_at_fork"):
                # A fork during a compilation would leave the child a lock that nobody opens.
                os.register_at_fork(before=lambda: warmup.wait(PATIENCE))
        return _Process.warmup
