"""Trace segments on disk. The only module that knows Parquet.

A segment is written under a temporary name
and then renamed, so that a reader never sees half of one; a segment that is still growing is written again whole.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypocenter.errors import BadRunError
from hypocenter.kernels.figures import STATISTICS
from hypocenter.probes.folders import TRACE
from hypocenter.probes.schema import EXTRAS, KEY_DTYPE, KEYS, WIDTH

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
