"""Trace segments on disk, and the run folders that hold them. The only module that knows Parquet.

A run folder holds `events.jsonl` and `trace/<rank>-<number>.parquet`. A segment is written under a temporary name
and then renamed, so that a reader never sees half of one; a segment that is still growing is written again whole.
"""

import os
import re
import secrets
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypocenter.errors import BadRunError, StorageError
from hypocenter.kernels.figures import STATISTICS
from hypocenter.probes.schema import EXTRAS, KEY_DTYPE, KEYS, WIDTH

EVENTS: Final = "events.jsonl"
TRACE: Final = "trace"
_LATEST: Final = "latest"
_SEGMENT: Final = re.compile(r"(\d+)-(\d+)\.parquet")
_FIGURES: Final = (*STATISTICS, *EXTRAS)
_UNREADABLE = "The trace segment {path!r} cannot be read ({why}); its rows are left out."


class Segment(NamedTuple):
    """Rows of one segment.

    Attributes:
        keys: KEY_DTYPE[rows]; `subject` indexes `names`.
        values: float64[rows, WIDTH].
        names: Names of the segment's subjects.
    """

    keys: NDArray[np.void]
    values: NDArray[np.float64]
    names: list[str]


def prepare() -> None:
    """Import the Parquet library now (0.2 s), on the calling thread and not in the middle of a training step."""
    import pyarrow.parquet  # noqa: F401  # loaded for its effect


def segment_path(folder: Path, rank: int, number: int) -> Path:
    """Where segment `number` of process `rank` belongs."""
    return folder / TRACE / f"{rank}-{number}.parquet"


def write_segment(path: Path, keys: NDArray[np.void], values: NDArray[np.float64], names: list[str]) -> None:
    """Write rows to `path`, replacing what is there in one move.

    Args:
        path: From `segment_path`.
        keys: KEY_DTYPE[rows]; `subject` indexes `names`.
        values: float64[rows, WIDTH].
        names: Names of all subjects.

    Raises:
        OSError: The file system refused.
    """
    data = _encode(keys, values, names)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        _discard(temporary)
        raise


def _discard(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return  # gone with its folder, or on a read-only disk: the caller reports the error that came first


def _encode(keys: NDArray[np.void], values: NDArray[np.float64], names: list[str]) -> memoryview:
    import pyarrow as pa
    import pyarrow.parquet as pq

    used, indices = np.unique(keys["subject"], return_inverse=True)
    columns: dict[str, Any] = {name: np.ascontiguousarray(keys[name]) for name in KEYS if name != "subject"}
    columns["subject"] = pa.DictionaryArray.from_arrays(
        indices.astype(np.int32), pa.array([names[i] for i in used], pa.string())
    )
    transposed = np.ascontiguousarray(values.T)
    columns.update(zip(_FIGURES, transposed, strict=True))
    sink = pa.BufferOutputStream()
    # Dictionaries help the keys, and cost time on figures that differ in every row.
    pq.write_table(
        pa.table(columns),
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=list(KEYS),  # type: ignore[arg-type]  # pyarrow takes names, its annotation says bool only
        write_statistics=False,
    )
    return memoryview(sink.getvalue())


def read_segment(path: Path) -> Segment:
    """Read one segment.

    Raises:
        BadRunError: The file is damaged, or not a segment of this format.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, use_threads=False, partitioning=None)
        subject = table.column("subject").combine_chunks().dictionary_encode()
        keys = np.empty(table.num_rows, KEY_DTYPE)
        for name in KEYS:
            keys[name] = subject.indices.to_numpy() if name == "subject" else table.column(name).to_numpy()
        values = np.empty((table.num_rows, WIDTH))
        for i, name in enumerate(_FIGURES):
            values[:, i] = table.column(name).to_numpy()
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadRunError(_UNREADABLE.format(path=str(path), why=why), slug="bad-segment") from error
    return Segment(keys, values, [str(name) for name in subject.dictionary.to_pylist()])


def segments(folder: Path) -> list[tuple[int, int, Path]]:
    """Segments of a run as (number, rank, path) in recording order; temporary files are not among them."""
    trace = folder / TRACE
    if not trace.is_dir():
        return []
    matches = ((_SEGMENT.fullmatch(path.name), path) for path in trace.iterdir())
    return sorted((int(match[2]), int(match[1]), path) for match, path in matches if match)


def make_writable(folder: Path) -> None:
    """Make the run folder and its files' places, and write to it once.

    Raises:
        StorageError: The folder cannot be made or written to.
    """
    try:
        (folder / TRACE).mkdir(parents=True, exist_ok=True)
        with (folder / EVENTS).open("ab"):
            pass
        with (folder / TRACE / ".writable").open("wb"):
            pass
        (folder / TRACE / ".writable").unlink()
    except OSError as error:
        message = f"Cannot write to the run folder {str(folder)!r}: {reason(error)}. Choose another folder."
        raise StorageError(message, slug="run-folder-not-writable") from error


def reason(error: OSError) -> str:
    """The operating system's words for an error, without its number and path."""
    return error.strerror or str(error) or type(error).__name__


def new_run_folder(base: Path | str = ".hypocenter") -> Path:
    """Make a new folder `<base>/<date>-<time>-<4 hex digits>` and point `<base>/latest` to it.

    Raises:
        StorageError: The folder cannot be made.
    """
    base = Path(base)
    try:
        base.mkdir(parents=True, exist_ok=True)
        while True:
            # secrets, because the random generators belong to the user's program.
            folder = base / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
            try:
                folder.mkdir()
                break
            except FileExistsError:
                continue
        pointer = base / f".{_LATEST}.{os.getpid()}.tmp"
        pointer.write_text(folder.name + "\n", encoding="utf-8")
        pointer.replace(base / _LATEST)
    except OSError as error:
        message = f"Cannot make a run folder in {str(base)!r}: {reason(error)}. Choose another folder."
        raise StorageError(message, slug="run-folder-not-writable") from error
    return folder


def find_run(path: Path | str) -> Path:
    """Find the run folder that `path` means: itself, or the latest run of a folder of runs.

    Raises:
        BadRunError: Nothing there, nothing recorded, or not a run folder.
    """
    path = Path(path)
    if not path.exists():
        raise BadRunError(f"There is no run folder {str(path)!r}.", slug="run-missing")
    if not path.is_dir():
        message = f"{str(path)!r} is a file; give the run folder, which holds {EVENTS!r} and {TRACE!r}."
        raise BadRunError(message, slug="run-not-a-folder")
    run = path if _is_run(path) else _latest(path)
    if run is None:
        if not any(path.iterdir()):
            raise BadRunError(f"The run folder {str(path)!r} is empty: nothing was recorded.", slug="run-empty")
        message = f"{str(path)!r} is not a run folder: it holds neither {EVENTS!r} nor {TRACE!r}."
        raise BadRunError(message, slug="not-a-run")
    events = run / EVENTS
    if not segments(run) and not (events.is_file() and events.stat().st_size):
        raise BadRunError(f"The run folder {str(run)!r} is empty: nothing was recorded.", slug="run-empty")
    return run


def _is_run(path: Path) -> bool:
    return (path / EVENTS).is_file() or (path / TRACE).is_dir()


def _latest(base: Path) -> Path | None:
    pointer = base / _LATEST
    if pointer.is_file():
        name = pointer.read_text(encoding="utf-8", errors="replace").strip()
        if name and (base / name).is_dir() and _is_run(base / name):
            return base / name
    runs = sorted(folder for folder in base.iterdir() if folder.is_dir() and _is_run(folder))
    return runs[-1] if runs else None
