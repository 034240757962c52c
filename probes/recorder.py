"""The recorder: takes rows and events from the probes and brings them to disk, or keeps a bounded part in memory.

Two buffers take turns. The hot path fills one; when it is full, it becomes a Parquet segment on a background thread
while the hot path fills the other. The thread also writes the growing buffer every 0.6 s under the number of its
segment, each time whole, so that a row is on disk at most 1.3 s after it was asked for, even when the program then
stays inside one long step. (The thread cannot run while foreign code holds Python's interpreter lock.)

When is a row final? The prober fills it after `row()` returned it, so the thread leaves the youngest rows alone: it
writes a row that is older than one period, or that 64 others follow. A row written too early is corrected by the next
writing; a full buffer is written for good when the other one holds 64 rows.

A process forked from the program (a DataLoader worker) has a recorder that forgets everything it is told.
"""

import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hypocenter.probes import lifetime
from hypocenter.probes.buffer import CAPACITY, KEY_BYTES, PACK, Buffer
from hypocenter.probes.events import Event, encode
from hypocenter.probes.schema import INDEX
from hypocenter.probes.sink import Sink
from hypocenter.probes.thinning import MEMORY_ROWS
from hypocenter.probes.trace import Trace

#: Seconds between two writings of the growing buffer.
PERIOD: Final = 0.6
#: A row that so many others follow counts as filled.
SETTLED: Final = 64
#: Events that wait for the thread; more are written at once.
WAITING_EVENTS: Final = 1024

_ONE: Final = {name: INDEX[name] for name in ("count", "nan", "posinf", "neginf", "zeros", "negatives")}
_VALUE: Final = [INDEX[name] for name in ("min", "max", "sum")]
_ABSMAX, _SUMSQ = INDEX["absmax"], INDEX["sumsq"]


class Recorder:
    """Takes one row per tensor, step and phase.

    Memory: two buffers of 16,384 rows of 180 bytes (6 MB), and with a folder about 10 MB for a moment while one is
    encoded. Without a folder, or once the disk has failed, up to 524,288 rows (94 MB) more, then thinned as module
    `thinning` says. Neither grows with the number of steps; the names of subjects stay, so there must be finitely many.

    Rows may be asked for from any thread, but by one at a time. With a folder, call `close()` or leave it to the end
    of the program; until then the recorder stays alive.

    Args:
        folder: The run folder, made if missing; None keeps everything in memory.
        rank: Number of this process in a distributed run.
        memory_rows: Rows kept in memory.

    Attributes:
        keys: KEY_DTYPE[capacity], the buffer being filled.
        values: float64[capacity, WIDTH], likewise.
        subjects: Names by number.
        step: Training steps completed, from `begin`.
        probe_seconds: Time spent in probes; the probes add to it.

    Raises:
        StorageError: The folder cannot be made or written to.
    """

    def __init__(self, folder: Path | None, *, rank: int = 0, memory_rows: int = MEMORY_ROWS) -> None:
        self.rank = rank
        self.step = 0
        self.probe_seconds = 0.0
        self.subjects: list[str] = []
        self._ids: dict[str, int] = {}
        self._call = 0
        self._training = False
        self._lines: deque[str] = deque()  # encoded events that wait
        self._sink = Sink(folder, rank, memory_rows)
        self._warned = False
        self._io = threading.RLock()  # held while rows or events go to the sink
        self._turn = threading.Lock()  # guards which buffer is which; held for moments
        self._stop = threading.Event()
        self._forgets = False  # closed, or in a forked process
        self._full: Buffer | None = None
        self._spare: Buffer | None = Buffer(CAPACITY, self._sink.first + 1)
        self._buffer = Buffer(CAPACITY, self._sink.first)
        self.keys, self.values, self._raw = self._buffer.keys, self._buffer.values, self._buffer.raw
        self._next = 0  # rows of the buffer that were asked for
        self._mark = 0  # those among them that are older than one period
        if self._sink.folder is not None:
            lifetime.register(self)
            threading.Thread(target=self._run, name="hypocenter-recorder", daemon=True).start()

    @property
    def folder(self) -> Path | None:
        """The run folder, absolute."""
        return self._sink.folder

    @property
    def storage_error(self) -> str | None:
        """Why the run folder can no longer be written to, a sentence; None while it can."""
        return self._sink.storage_error

    def subject(self, name: str) -> int:
        """The number of a name, the same at every call."""
        found = self._ids.get(name)
        if found is None:
            with self._turn:
                found = self._ids.get(name)
                if found is None:
                    self.subjects.append(name)
                    self._ids[name] = found = len(self.subjects) - 1
        return found

    def begin(self, step: int, call: int, training: bool) -> None:
        """Say what the following rows belong to: `step`, `call`, `training` as in `schema.KEY_DTYPE`."""
        self.step = step
        self._call = call
        self._training = training

    def row(self, subject: int, phase: int) -> NDArray[np.float64]:
        """A fresh row, its keys set.

        Args:
            subject: From `subject(name)`.
            phase: A `Phase`.

        Returns:
            float64[WIDTH], a view to be filled at once: before 64 further rows are asked for, and before `flush()`.
            Preset to the figures of an empty tensor (counts and sums 0, min +inf, max -inf), extras NaN.
        """
        i = self._next
        if i == CAPACITY:
            self._swap()
            i = 0
        self._next = i + 1
        PACK(self._raw, i * KEY_BYTES, self.step, self._call, self.rank, subject, phase, self._training)
        row: NDArray[np.float64] = self.values[i]
        return row

    def rows(self, subjects: NDArray[np.int32], phase: int) -> NDArray[np.float64]:
        """Fresh rows for several subjects of one phase, in one buffer, as `row` gives them.

        Args:
            subjects: int32[n], from `subject(name)`; n <= 16,384.
            phase: A `Phase`.

        Returns:
            float64[n, WIDTH], a view to be filled at once.
        """
        count = len(subjects)
        if count > CAPACITY:
            raise ValueError(f"{count} rows at once: {CAPACITY} at most")
        if self._next + count > CAPACITY:
            self._swap()
        i = self._next
        self._next = i + count
        keys = self.keys[i : i + count]
        keys["step"], keys["call"], keys["rank"] = self.step, self._call, self.rank
        keys["subject"], keys["phase"], keys["training"] = subjects, phase, self._training
        return self.values[i : i + count]

    def scalar(self, subject: int, phase: int, value: float) -> None:
        """Record the figures of a single number, such as a loss or a learning rate; it stands in `sum` when finite."""
        row = self.row(subject, phase)
        row[_ONE["count"]] = 1
        if np.isnan(value):
            row[_ONE["nan"]] = 1
        elif np.isinf(value):
            row[_ONE["posinf" if value > 0 else "neginf"]] = 1
        else:
            row[_ONE["zeros"]], row[_ONE["negatives"]] = value == 0, value < 0
            row[_VALUE] = value
            row[_ABSMAX], row[_SUMSQ] = abs(value), value * value

    def event(self, kind: str, **data: Any) -> None:
        """Record that something happened, as it is now; `data` is anything that `events.encode` takes."""
        if self._forgets:
            return
        self._lines.append(encode({"kind": kind, "step": self.step, "time": time.time(), "rank": self.rank, **data}))
        if len(self._lines) >= WAITING_EVENTS:
            with self._io:
                self._ship_events()

    def flush(self) -> None:
        """Bring every row and event to disk now, the youngest rows included; they must be filled."""
        with self._io:
            if not self._forgets:
                self._ship_full()
                self._ship_growing(everything=True)
                self._ship_events()

    def close(self) -> None:
        """Flush and stop the thread; what comes later is forgotten. May be called again."""
        with self._io:
            if self._forgets:
                return
            self.flush()
            if not self._sink.on_disk:
                self._sink.keep(self._buffer, self._next)
            self._forgets = True
        self._stop.set()
        lifetime.unregister(self)

    def events(self) -> list[Event]:
        """Every event so far, as `load_events` gives them."""
        self.flush()
        return self._sink.events()

    def trace(self) -> Trace:
        """Everything recorded so far, from disk or copied from memory; rows that were asked for must be filled."""
        with self._io:
            self.flush()
            return self._sink.trace([] if self._forgets else [(self._buffer, self._next)], self.subjects)

    def _swap(self) -> None:
        """Put the buffer aside and take the other one; wait, or do the thread's work, if that is not yet written."""
        if self._forgets:
            self._next = 0
            return
        self._buffer.used = self._next
        if self._spare is None:
            with self._io:
                self._ship_full()
        with self._turn:
            spare = self._spare
            if spare is None:
                raise AssertionError("no spare buffer after the full one was written")
            # No call between these: Python delivers Ctrl-C at calls, and they must change together.
            self._full, self._spare, self._buffer, self._next, self._mark = self._buffer, None, spare, 0, 0
            self.keys, self.values, self._raw = spare.keys, spare.values, spare.raw

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            with self._io:
                if not self._forgets:
                    self._tick()

    def _tick(self) -> None:
        full = self._full
        if full is not None and self._next >= SETTLED:
            self._ship_full()
        elif full is not None and full.stored < full.used:
            self._write(full, full.used)
        self._ship_growing(everything=False)
        self._ship_events()

    def _ship_full(self) -> None:
        full = self._full
        if full is None:
            return
        if not self._write(full, full.used):
            self._sink.keep(full, full.used)
        with self._turn:
            full.recycle(self._buffer.number + 1)
            self._full, self._spare = None, full

    def _ship_growing(self, *, everything: bool) -> None:
        with self._turn:
            buffer, rows = self._buffer, self._next
            settled = rows if everything else max(self._mark, rows - SETTLED)
            self._mark = rows
        if settled > buffer.stored or (everything and settled):
            self._write(buffer, settled)

    def _write(self, buffer: Buffer, rows: int) -> bool:
        return self._sink.write(buffer, rows, self.subjects, self._oldest())

    def _oldest(self) -> int:
        with self._turn:
            return (self._full or self._buffer).number

    def _ship_events(self) -> None:
        self._sink.append_events([self._lines.popleft() for _ in range(len(self._lines))], self._oldest())
        if self.storage_error is not None and not self._warned:
            self._warned = True
            self.event("warning", message=self.storage_error)
            self._ship_events()

    def hold(self, timeout: float) -> bool:
        """Keep the thread from writing until `release`, in this thread; False if it did not finish in time."""
        return self._io.acquire(timeout=timeout)

    def release(self) -> None:
        """Undo `hold`."""
        self._io.release()

    def forget(self) -> None:
        """In a forked process: hold nothing that the parent's threads may have held, and record nothing."""
        self._io, self._turn = threading.RLock(), threading.Lock()
        self._forgets = True
        self._lines.clear()
