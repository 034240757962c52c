"""The compiled passes over one-dimensional contiguous arrays of float32, float64 or 16-bit patterns.

Each pass walks over its array in blocks (`hypocenter.kernels.numba_blocks`) and is compiled per dtype on first use.
`half` says that 16-bit patterns are float16, else they are bfloat16; `fresh` starts the outputs anew, else the
figures are added to them.
"""

from typing import Any

import numpy as np

from hypocenter.kernels.numba_blocks import (
    add_block,
    add_relevance,
    copy,
    count_column,
    count_nonfinite,
    count_plane,
    restart,
    subtract,
)
from hypocenter.kernels.numba_floats import BLOCK, limits_of, load, scratch_for
from hypocenter.kernels.numba_jit import kernel

UNIT_ROW = 512  # elements whose zeros are counted side by side, where there are fewer units than this


@kernel
def statistics(x: Any, out: Any, low: float, high: float, half: bool, fresh: bool) -> None:
    """Add the figures of `x` to `out`, which is started anew when `fresh`."""
    if fresh:
        restart(out)
    limits, scratch = limits_of(x, low, high, half), scratch_for(x)
    for start in range(0, x.size, BLOCK):
        add_block(load(x[start : start + BLOCK], half, scratch), limits, out)


@kernel
def last_unit_statistics(
    x: Any, out: Any, low: float, high: float, half: bool, zeros: Any, saturated: Any, fresh: bool
) -> None:
    """`statistics` of a tensor of shape (outer, units), with counts per unit added to `zeros` and `saturated`."""
    if fresh:
        restart(out)
    limits, scratch, units = limits_of(x, low, high, half), scratch_for(x), zeros.size
    width = units * max(1, min(UNIT_ROW, x.size) // units)
    wide_zeros, wide_saturated = np.zeros(width, np.uint32), np.zeros(width, np.uint32)
    rows = max(1, BLOCK // width) * width
    for row in range(0, x.size, rows):
        end = min(row + rows, x.size)
        step = rows if width <= BLOCK else BLOCK
        for start in range(row, end, step):
            values = load(x[start : min(start + step, end)], half, scratch)
            if add_block(values, limits, out):
                for first in range(0, values.size, width):
                    count_column(values[first : first + width], limits, start - row, wide_zeros, wide_saturated)
    for first in range(0, width, units):
        for unit in range(units):
            zeros[unit] += np.int64(wide_zeros[first + unit])
            saturated[unit] += np.int64(wide_saturated[first + unit])


@kernel
def plane_unit_statistics(
    x: Any, out: Any, low: float, high: float, half: bool, zeros: Any, saturated: Any, inner: int, fresh: bool
) -> None:
    """`statistics` of a tensor of shape (outer, units, inner), with counts per unit as in `last_unit_statistics`."""
    if fresh:
        restart(out)
    limits, scratch, units = limits_of(x, low, high, half), scratch_for(x), zeros.size
    planes = max(1, BLOCK // inner) * inner
    for plane in range(0, x.size, planes):
        for start in range(plane, min(plane + planes, x.size), BLOCK):
            stop = min(start + BLOCK, plane + planes, x.size)
            values = load(x[start:stop], half, scratch)
            if add_block(values, limits, out):
                unit = (start // inner) % units
                for first in range(0, values.size, inner):
                    zero, full = count_plane(values[first : first + inner], limits)
                    zeros[unit] += np.int64(zero)
                    saturated[unit] += np.int64(full)
                    unit = unit + 1 if unit + 1 < units else 0


@kernel
def gradient_statistics(g: Any, a: Any, out: Any, relevance: Any, half: bool, fresh: bool) -> None:
    """Add the figures of `g` to `out`, and the sums of g * a and |g * a| to `relevance`."""
    if fresh:
        restart(out)
        relevance[:2] = 0.0
    limits, scratch, other = limits_of(g, -np.inf, np.inf, half), scratch_for(g), scratch_for(a)
    for start in range(0, g.size, BLOCK):
        block = slice(start, start + BLOCK)
        values = load(g[block], half, scratch)
        add_block(values, limits, out)
        add_relevance(values, load(a[block], half, other), relevance)


@kernel
def update_statistics(new: Any, previous: Any, out_weight: Any, out_update: Any, half: bool, fresh: bool) -> None:
    """Add the figures of `new` and of `new - previous` to the two outputs, and copy `new` into `previous`."""
    if fresh:
        restart(out_weight)
        restart(out_update)
    limits, scratch, other = limits_of(new, -np.inf, np.inf, half), scratch_for(new), scratch_for(new)
    differences = np.empty(BLOCK, scratch.dtype)
    wide_limits = limits_of(differences, -np.inf, np.inf, False)
    for start in range(0, new.size, BLOCK):
        block = slice(start, start + BLOCK)
        values, before = load(new[block], half, scratch), load(previous[block], half, other)
        difference = differences[: values.size]
        subtract(values, before, difference)
        copy(new[block], previous[block])
        add_block(values, limits, out_weight)
        add_block(difference, wide_limits, out_update)


@kernel
def nonfinite(x: Any, half: bool) -> int:
    """The number of NaN and infinities in `x`."""
    limits, scratch = limits_of(x, -np.inf, np.inf, half), scratch_for(x)
    total = 0
    for start in range(0, x.size, BLOCK):
        total += int(count_nonfinite(load(x[start : start + BLOCK], half, scratch), limits))
    return total
