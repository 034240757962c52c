"""Where a recorder's rows and events go: to the run folder until it can no longer be written to, then to memory."""

from collections.abc import Sequence
from pathlib import Path

from hypocenter.probes import folders, store
from hypocenter.probes.buffer import Buffer
from hypocenter.probes.events import Event, EventMemory, append, decode, load_events
from hypocenter.probes.thinning import Keeper
from hypocenter.probes.trace import LOADED_ROWS, Gathering, Trace


class Sink:
    """One process's side of a run folder, or of memory. Not safe for several threads at once.

    Args:
        folder: The run folder, made if missing; None for memory only.
        rank: Number of this process.
        memory_rows: Rows kept in memory.

    Attributes:
        first: Number of the first segment, after those that the folder already holds of this rank.
        memory: Rows that did not go to disk.
        storage_error: Why nothing goes to disk any more, a sentence.

    Raises:
        StorageError: The folder cannot be made or written to.
    """

    def __init__(self, folder: Path | None, rank: int, memory_rows: int) -> None:
        # Absolute, because the program may change its directory.
        self.folder = None if folder is None else Path(folder).absolute()
        self.rank = rank
        self.memory = Keeper(memory_rows)
        self.storage_error: str | None = None
        self.first = 0
        self._events = EventMemory()
        self._intact: int | None = None  # segments below this number are on disk for good
        if self.folder is not None:
            folders.make_writable(self.folder)
            store.prepare()
            numbers = [number for number, rank, _ in folders.segments(self.folder) if rank == self.rank]
            self.first = max(numbers, default=-1) + 1

    @property
    def on_disk(self) -> bool:
        """Rows and events go to disk."""
        return self.folder is not None and self.storage_error is None

    def write(self, buffer: Buffer, rows: int, names: list[str], oldest: int) -> bool:
        """Write the first `rows` of a buffer as its segment.

        Args:
            buffer: The buffer.
            rows: How many of its rows.
            names: Names of all subjects.
            oldest: Number of the oldest segment that is not yet on disk for good.

        Returns:
            False when they are not on disk.
        """
        if self.folder is None or self.storage_error is not None:
            return False
        path = store.segment_path(self.folder, self.rank, buffer.number)
        try:
            store.write_segment(path, buffer.keys[:rows], buffer.values[:rows], names)
        except OSError as error:
            self._fail(self.folder, error, oldest)
            return False
        buffer.stored = rows
        return True

    def keep(self, buffer: Buffer, rows: int) -> None:
        """Take the first `rows` of a buffer into memory."""
        self.memory.add(buffer.keys[:rows], buffer.values[:rows])

    def append_events(self, lines: Sequence[str], oldest: int) -> None:
        """Append encoded events; `oldest` as in `write`."""
        if self.folder is not None and self.storage_error is None and lines:
            try:
                append(self.folder, lines)
            except OSError as error:
                self._fail(self.folder, error, oldest)
            else:
                return
        for line in lines:
            self._events.add(decode(line))

    def _fail(self, folder: Path, error: OSError, oldest: int) -> None:
        self._intact = oldest
        self.storage_error = (
            f"Cannot write to the run folder {str(folder)!r}: {folders.reason(error)}. "
            "What happens from now on is kept in memory and will be missing there."
        )

    def events(self) -> list[Event]:
        """Events on disk, then those in memory."""
        written = load_events(self.folder) if self.folder is not None else []
        return written + self._events.all()

    def trace(self, growing: Sequence[tuple[Buffer, int]], names: list[str]) -> Trace:
        """Everything recorded.

        Args:
            growing: Buffers, and how many of their rows, that neither disk nor memory holds for good.
            names: Names of all subjects.
        """
        if self.folder is not None and self.on_disk:
            return Trace.load(self.folder)
        gathering = Gathering(LOADED_ROWS)
        if self.folder is not None:
            for number, rank, path in folders.segments(self.folder):
                if rank != self.rank or self._intact is None or number < self._intact:
                    gathering.read(path)
        gathering.add(self.memory.keys, self.memory.values, names)
        for buffer, rows in growing:
            gathering.add(buffer.keys[:rows], buffer.values[:rows], names)
        if self.storage_error is not None:
            gathering.warnings.append(self.storage_error)
        return gathering.trace(thinned=self.memory.thinned)
