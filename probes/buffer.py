"""The arrays that the hot path fills: one block of rows, their keys beside their figures."""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hypocenter.kernels.figures import STATISTICS
from hypocenter.probes.schema import EXTRAS, INDEX, KEY_DTYPE, WIDTH

#: Rows of one buffer, and so of one Parquet segment: about a second of a busy training loop.
CAPACITY: Final = 16_384

# struct.pack_into on the raw bytes takes a third of the time of assigning a tuple to a structured array.
_PACKER: Final = struct.Struct("=qihib?")
PACK: Final = _PACKER.pack_into
KEY_BYTES: Final = _PACKER.size
if KEY_DTYPE.itemsize != KEY_BYTES:
    raise AssertionError(f"the packed key has {KEY_BYTES} bytes, KEY_DTYPE {KEY_DTYPE.itemsize}")


def empty_row() -> NDArray[np.float64]:
    """Figures of a tensor without elements: float64[WIDTH], counts and sums 0, min +inf, max -inf, extras NaN."""
    row = np.zeros(WIDTH)
    row[len(STATISTICS) : len(STATISTICS) + len(EXTRAS)] = np.nan
    row[INDEX["min"]], row[INDEX["max"]] = np.inf, -np.inf
    return row


_EMPTY: Final = empty_row()


class Buffer:
    """Rows in recording order.

    Attributes:
        keys: KEY_DTYPE[capacity].
        values: float64[capacity, WIDTH]; a row that nobody has filled holds `empty_row()`.
        raw: The bytes of `keys`, for `PACK`.
        number: The segment that this buffer becomes.
        used: Rows handed out before the buffer was put aside.
        stored: Rows that the segment on disk already holds.
    """

    __slots__ = ("capacity", "keys", "number", "raw", "stored", "used", "values")

    def __init__(self, capacity: int, number: int) -> None:
        self.capacity = capacity
        self.keys: NDArray[np.void] = np.zeros(capacity, KEY_DTYPE)
        self.values: NDArray[np.float64] = np.empty((capacity, WIDTH))
        self.values[:] = _EMPTY
        self.raw = self.keys.data.cast("B")
        self.number = number
        self.used = 0
        self.stored = 0

    def recycle(self, number: int) -> None:
        """Make the buffer ready for segment `number`."""
        self.values[: self.used] = _EMPTY
        self.number, self.used, self.stored = number, 0, 0
