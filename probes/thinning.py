"""Keeps a bounded part of an endless recording: what a diagnosis needs first, and an even sample of the rest.

Rows are kept or dropped by *unit*: the rows of one step, or of 16 consecutive forward passes where a step has more
(an evaluation, a script that never trains), so that what is kept is complete. Kept are

1. the first 256 units,
2. the last 256 units,
3. units in which a tensor turns non-finite that was finite the last time it was seen (256 at most, earliest first),
4. of the others, those whose number is a multiple of the smallest power of two that fits the budget. A power of two,
   because then the units of a coarser sample are all in the finer one, however often thinning is repeated.

Each of 1, 2, 3 takes at most a quarter of the budget, so models with very many layers keep fewer than 256 units.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hypocenter.probes.schema import INDEX, KEY_DTYPE, WIDTH

#: Units kept at the start, at the end, and where values turn non-finite.
PROTECTED: Final = 256
#: Rows that a recorder keeps in memory: 512 Ki rows of 180 bytes, 94 MB.
MEMORY_ROWS: Final = 1 << 19
#: Bytes of one row in memory.
ROW_BYTES: Final = KEY_DTYPE.itemsize + 8 * WIDTH

_CALLS_BITS: Final = 16  # of a unit's number: which 16 calls of the step; 2**20 calls per step are told apart
_CHUNK: Final = 1 << 16  # rows moved at a time


def nonfinite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN, +Inf and -Inf counted in each row of float64[rows, WIDTH]."""
    total: NDArray[np.float64] = values[:, INDEX["nan"]] + values[:, INDEX["posinf"]] + values[:, INDEX["neginf"]]
    return total


def rows_to_keep(keys: NDArray[np.void], bad: NDArray[np.bool_], budget: int) -> NDArray[np.bool_]:
    """Choose rows by the rules above.

    Args:
        keys: KEY_DTYPE[rows], in recording order.
        bad: bool[rows], the row counts a NaN or infinity.
        budget: Rows that may stay.

    Returns:
        bool[rows] with at most `budget` True.
    """
    unit = (keys["step"] << _CALLS_BITS) + np.minimum(keys["call"] >> 4, (1 << _CALLS_BITS) - 1)
    distinct, where, rows = np.unique(unit, return_inverse=True, return_counts=True)
    share = budget // 4
    keep = np.zeros(len(distinct), np.bool_)
    keep[: _fitting(rows, share)] = True
    keep[len(rows) - _fitting(rows[::-1], share) :] = True
    onset = np.unique(where[_onsets(keys, bad)])
    keep[onset[: _fitting(rows[onset], share)]] = True
    keep |= _even_sample(distinct, rows, keep, budget - int(rows[keep].sum()))
    mask: NDArray[np.bool_] = keep[where]
    if np.count_nonzero(mask) > budget:  # units larger than their share: only their ends can stay
        mask = np.zeros(len(keys), np.bool_)
        mask[: budget // 2] = True
        mask[len(keys) - (budget - budget // 2) :] = True
    return mask


def _fitting(rows: NDArray[np.int64], share: int) -> int:
    """How many leading units may stay: PROTECTED at most, within `share` rows, but one at least."""
    return min(PROTECTED, max(1, int(np.searchsorted(np.cumsum(rows), share, side="right"))))


def _onsets(keys: NDArray[np.void], bad: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows whose tensor is bad and was not at its row before."""
    if not bad.any():
        return np.zeros(0, np.int64)
    code = (keys["subject"].astype(np.int64) << 8) + keys["phase"]
    order = np.argsort(code, kind="stable")
    sorted_bad, sorted_code = bad[order], code[order]
    onset = sorted_bad.copy()
    onset[1:] &= ~(sorted_bad[:-1] & (sorted_code[1:] == sorted_code[:-1]))
    found: NDArray[np.int64] = order[onset]
    return found


def _even_sample(
    distinct: NDArray[np.int64], rows: NDArray[np.int64], keep: NDArray[np.bool_], room: int
) -> NDArray[np.bool_]:
    number = (distinct >> _CALLS_BITS) + (distinct & ((1 << _CALLS_BITS) - 1))
    sample = ~keep
    stride = 1
    while int(rows[sample].sum()) > room and sample.any():
        stride *= 2
        sample = ~keep & (number % stride == 0)
        if stride > int(number[-1]) + 1:
            sample[:] = False
    return sample


class Keeper:
    """Rows in memory, never more than `limit`: a full keeper thins itself to three quarters.

    Takes up to `limit * ROW_BYTES` bytes, and half as much again for moments while it grows or thins.
    """

    def __init__(self, limit: int = MEMORY_ROWS) -> None:
        self.limit = limit
        self.thinned = False
        self._used = 0
        self._keys: NDArray[np.void] = np.empty(0, KEY_DTYPE)
        self._values: NDArray[np.float64] = np.empty((0, WIDTH))

    def __len__(self) -> int:
        return self._used

    @property
    def keys(self) -> NDArray[np.void]:
        """KEY_DTYPE[len(self)], a view."""
        return self._keys[: self._used]

    @property
    def values(self) -> NDArray[np.float64]:
        """float64[len(self), WIDTH], a view."""
        return self._values[: self._used]

    def add(self, keys: NDArray[np.void], values: NDArray[np.float64]) -> None:
        """Copy rows in; `keys` KEY_DTYPE[n], `values` float64[n, WIDTH]."""
        start = 0
        while start < len(keys):
            if self._used == self.limit:
                self._thin()
            stop = min(len(keys), start + self.limit - self._used)
            self._reserve(self._used + stop - start)
            end = self._used + stop - start
            self._keys[self._used : end] = keys[start:stop]
            self._values[self._used : end] = values[start:stop]
            self._used, start = end, stop

    def _reserve(self, rows: int) -> None:
        if rows <= len(self._keys):
            return
        capacity = min(self.limit, max(rows, 2 * len(self._keys)))
        keys, values = np.empty(capacity, KEY_DTYPE), np.empty((capacity, WIDTH))
        keys[: self._used], values[: self._used] = self.keys, self.values
        self._keys, self._values = keys, values

    def _thin(self) -> None:
        mask = rows_to_keep(self.keys, nonfinite(self.values) > 0, 3 * self.limit // 4)
        end = 0
        for start in range(0, self._used, _CHUNK):  # in place: rows only move towards the start
            stop = min(start + _CHUNK, self._used)
            chosen = start + np.flatnonzero(mask[start:stop])
            self._keys[end : end + len(chosen)] = self._keys[chosen]
            self._values[end : end + len(chosen)] = self._values[chosen]
            end += len(chosen)
        self._used = end
        self.thinned = True
