"""The compiled passes over one-dimensional contiguous arrays of float32, float64 or 16-bit patterns.

Every compiled function lives in this one file, because numba recompiles a cached function only when its own
source file changes.

How a pass works. The array is read in blocks that fit the first-level cache. `_quick` takes all figures of a block
in one vectorised loop, with sums in the precision of the values; it orders floats by their bit patterns, because
an integer minimum vectorises where the minimum of floats with NaN does not. The extremes then tell whether the
block holds NaN, infinities, or values whose squares float32 cannot hold; only such a block is read again by
`_careful`, which tests every value and sums in float64. 16-bit values are widened block by block into a small
float32 buffer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir as llvm
from numba import types
from numba.extending import overload

from hypocenter.kernels.numba_jit import helper, instruction, kernel

BLOCK = 4096  # elements: two blocks of float32 fill a first-level cache of 32 KiB
UNIT_ROW = 512  # elements whose zeros are counted side by side, where there are fewer units than this

# A float32 block whose largest magnitude lies between these has exact enough float32 squares: 4096 * 1e17**2 does
# not overflow, and values whose squares underflow (below 1e-19) weigh less than 1e-10 of the sum beside 1e-12.
SQUARES_FROM, SQUARES_TO = 1e-12, 1e17

_INTEGERS: dict[Any, Any] = {types.float32: types.int32, types.float64: types.int64}
_FLOATS: dict[Any, Any] = {types.int32: types.float32, types.int64: types.float64}


@instruction
def _order(_context: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """The bit pattern of a float as a signed integer that sorts like the float: -NaN < -inf < -0.0 < 0.0 < NaN."""
    integer = _INTEGERS[value]

    def build(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = llvm.IntType(integer.bitwidth)
        bits = builder.bitcast(arguments[0], kind)
        negative = builder.ashr(bits, llvm.Constant(kind, integer.bitwidth - 1))
        return builder.xor(bits, builder.lshr(negative, llvm.Constant(kind, 1)))

    return integer(value), build


@instruction
def _magnitude(_context: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """The bit pattern of a float without its sign, as a signed integer that sorts like the absolute value."""
    integer = _INTEGERS[value]

    def build(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = llvm.IntType(integer.bitwidth)
        bits = builder.bitcast(arguments[0], kind)
        return builder.and_(bits, llvm.Constant(kind, (1 << (integer.bitwidth - 1)) - 1))

    return integer(value), build


@instruction
def _from_bits(_context: Any, bits: Any) -> tuple[Any, Callable[..., Any]]:
    """The float with this bit pattern."""
    floating = _FLOATS[bits]

    def build(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], target.get_value_type(floating))

    return floating(bits), build


@helper
def _from_order(order: Any) -> Any:
    """The float that `_order` made an integer of."""
    value = _from_bits(order)
    return value if order >= 0 else _from_bits(_order(value))


def _limits(x: Any, low: float, high: float, half: bool) -> Any:
    """What the values of `x` are compared with, in their precision.

    (zero, low, high, infinity, smallest normal, smallest and largest magnitude that quick sums may square).
    """


@overload(_limits)
def _limits_overload(x: Any, low: Any, high: Any, half: Any) -> Any:  # noqa: ARG001 - numba matches the names
    if x.dtype == types.float64:

        def double(x: Any, low: Any, high: Any, half: Any) -> Any:  # noqa: ARG001 - numba matches the names
            return 0.0, low, high, np.inf, 2.0**-1022, 0.0, np.inf

        return double
    single = np.float32

    def singles(x: Any, low: Any, high: Any, half: Any) -> Any:  # noqa: ARG001 - numba matches the names
        smallest = single(2.0**-14) if half else single(2.0**-126)
        return single(0), single(low), single(high), single(np.inf), smallest, single(SQUARES_FROM), single(SQUARES_TO)

    return singles


def _scratch(x: Any) -> Any:
    """A buffer to widen one block of `x` into; of no size when `x` needs none."""


@overload(_scratch)
def _scratch_overload(x: Any) -> Any:
    size, dtype = (BLOCK, np.float32) if x.dtype == types.uint16 else (0, x.dtype)

    def implementation(x: Any) -> Any:  # noqa: ARG001 - numba matches the names
        return np.empty(size, dtype)

    return implementation


@helper
def _widen_half(x: Any, values: Any) -> None:
    for k in range(x.size):
        m = np.int32(x[k] & np.uint16(0x7FFF))
        subnormal = _magnitude(np.float32(m) * np.float32(2.0**-24))
        normal = np.int32(np.int32(m << np.int32(13)) + np.int32(112 << 23))
        special = np.int32(np.int32(m << np.int32(13)) | np.int32(0x7F80_0000))
        bits = subnormal if m < np.int32(0x400) else (normal if m < np.int32(0x7C00) else special)
        sign = np.int32(np.int32(x[k] & np.uint16(0x8000)) << np.int32(16))
        values[k] = _from_bits(np.int32(bits | sign))


@helper
def _widen_bfloat(x: Any, values: Any) -> None:
    for k in range(x.size):
        values[k] = _from_bits(np.int32(np.int32(x[k]) << np.int32(16)))


def _load(x: Any, half: bool, scratch: Any) -> Any:
    """The values of a block in the precision of the comparisons: the block itself, or its widened copy."""


@overload(_load)
def _load_overload(x: Any, half: Any, scratch: Any) -> Any:  # noqa: ARG001 - numba matches the names
    if x.dtype != types.uint16:

        def same(x: Any, half: Any, scratch: Any) -> Any:  # noqa: ARG001 - numba matches the names
            return x

        return same

    def widened(x: Any, half: Any, scratch: Any) -> Any:
        values = scratch[: x.size]
        if half:
            _widen_half(x, values)
        else:
            _widen_bfloat(x, values)
        return values

    return widened


@helper
def _quick(x: Any, limits: Any) -> Any:
    zero, low, high, infinity, tiny, _, _ = limits
    total, squares = zero, zero
    smallest, largest = _order(infinity), _order(-infinity)
    zeros = negatives = below_normal = at_low = at_high = np.uint32(0)
    for k in range(x.size):
        v = x[k]
        total += v
        squares += v * v
        order, magnitude = _order(v), _magnitude(v)
        smallest, largest = min(smallest, order), max(largest, order)
        zeros = np.uint32(zeros + np.uint32(magnitude == 0))
        negatives = np.uint32(negatives + np.uint32(order < -1))  # -1 is -0.0
        below_normal = np.uint32(below_normal + np.uint32(magnitude < _magnitude(tiny)))
        at_low = np.uint32(at_low + np.uint32(v <= low))
        at_high = np.uint32(at_high + np.uint32(v >= high))
    return np.float64(total), np.float64(squares), smallest, largest, zeros, negatives, below_normal, at_low, at_high


@helper
def _careful(x: Any, limits: Any, out: Any) -> Any:
    _, low, high, infinity, tiny, _, _ = limits
    total = squares = 0.0
    top, bottom = _order(infinity), _order(-infinity)
    smallest, largest = top, bottom
    nan = posinf = neginf = zeros = negatives = below_normal = at_low = at_high = np.uint32(0)
    for k in range(x.size):
        v = x[k]
        order, magnitude = _order(v), _magnitude(v)
        finite = magnitude < top
        w = np.float64(v) if finite else 0.0
        total += w
        squares += w * w
        smallest = min(smallest, order if finite else top)
        largest = max(largest, order if finite else bottom)
        nan = np.uint32(nan + np.uint32(magnitude > top))
        posinf = np.uint32(posinf + np.uint32(order == top))
        neginf = np.uint32(neginf + np.uint32(order == bottom))
        zeros = np.uint32(zeros + np.uint32(magnitude == 0))
        negatives = np.uint32(negatives + np.uint32(finite and order < -1))
        below_normal = np.uint32(below_normal + np.uint32(magnitude < _magnitude(tiny)))
        at_low = np.uint32(at_low + np.uint32(finite and v <= low))
        at_high = np.uint32(at_high + np.uint32(finite and v >= high))
    out[1] += nan
    out[2] += posinf
    out[3] += neginf
    return total, squares, smallest, largest, zeros, negatives, below_normal, at_low, at_high


@helper
def _add_block(x: Any, limits: Any, out: Any) -> Any:
    """Add the figures of one block to `out`; true when the block has zeros or values at a bound."""
    figures = _quick(x, limits)
    smallest, largest = _from_order(figures[2]), _from_order(figures[3])
    peak = max(-smallest, largest)
    infinity, squares_from, squares_to = limits[3], limits[5], limits[6]
    special = not (smallest > -infinity and largest < infinity)
    if special or peak > squares_to or (peak < squares_from and peak > 0):
        figures = _careful(x, limits, out)
        smallest, largest = _from_order(figures[2]), _from_order(figures[3])
        peak = max(-smallest, largest)
    out[0] += x.size
    out[4] += figures[4]
    out[5] += figures[5]
    out[6] += figures[6] - figures[4]
    out[7] = min(out[7], np.float64(smallest))
    out[8] = max(out[8], np.float64(largest))
    out[9] += figures[0]
    out[10] += figures[1]
    out[11] = max(out[11], np.float64(peak))
    out[12] += figures[7]
    out[13] += figures[8]
    return figures[4] + figures[7] + figures[8] > 0


@helper
def _start(out: Any) -> None:
    out[:14] = 0.0
    out[7], out[8] = np.inf, -np.inf


@kernel
def statistics(x: Any, out: Any, low: float, high: float, half: bool, fresh: bool) -> None:
    """Add the figures of `x` to `out`, which is started anew when `fresh`."""
    if fresh:
        _start(out)
    limits, scratch = _limits(x, low, high, half), _scratch(x)
    for start in range(0, x.size, BLOCK):
        _add_block(_load(x[start : start + BLOCK], half, scratch), limits, out)


@helper
def _count_column(x: Any, limits: Any, first: int, zeros: Any, saturated: Any) -> None:
    """Add each element's figures to the counter of its own place, the first element to counter `first`."""
    _, low, high, infinity, _, _, _ = limits
    top = _order(infinity)
    zeros, saturated = zeros[first : first + x.size], saturated[first : first + x.size]
    for k in range(x.size):
        v = x[k]
        zeros[k] = np.uint32(zeros[k] + np.uint32(_magnitude(v) == 0))
        saturated[k] = np.uint32(saturated[k] + np.uint32((_magnitude(v) < top) & ((v <= low) | (v >= high))))


@helper
def _count_plane(x: Any, limits: Any) -> Any:
    """The zeros and the saturated values of a stretch that belongs to one unit."""
    _, low, high, infinity, _, _, _ = limits
    top = _order(infinity)
    zeros = saturated = np.uint32(0)
    for k in range(x.size):
        v = x[k]
        zeros = np.uint32(zeros + np.uint32(_magnitude(v) == 0))
        saturated = np.uint32(saturated + np.uint32((_magnitude(v) < top) & ((v <= low) | (v >= high))))
    return zeros, saturated


@kernel
def last_unit_statistics(
    x: Any, out: Any, low: float, high: float, half: bool, zeros: Any, saturated: Any, fresh: bool
) -> None:
    """`statistics` of a tensor of shape (outer, units), with counts per unit added to `zeros` and `saturated`."""
    if fresh:
        _start(out)
    limits, scratch, units = _limits(x, low, high, half), _scratch(x), zeros.size
    width = units if units >= UNIT_ROW else units * (UNIT_ROW // units)
    wide_zeros, wide_saturated = np.zeros(width, np.uint32), np.zeros(width, np.uint32)
    rows = max(1, BLOCK // width) * width
    for row in range(0, x.size, rows):
        end = min(row + rows, x.size)
        step = rows if width <= BLOCK else BLOCK
        for start in range(row, end, step):
            values = _load(x[start : min(start + step, end)], half, scratch)
            if _add_block(values, limits, out):
                for first in range(0, values.size, width):
                    _count_column(values[first : first + width], limits, start - row, wide_zeros, wide_saturated)
    for k in range(width):
        zeros[k % units] += np.int64(wide_zeros[k])
        saturated[k % units] += np.int64(wide_saturated[k])


@kernel
def plane_unit_statistics(
    x: Any, out: Any, low: float, high: float, half: bool, zeros: Any, saturated: Any, inner: int, fresh: bool
) -> None:
    """`statistics` of a tensor of shape (outer, units, inner), with counts per unit as in `last_unit_statistics`."""
    if fresh:
        _start(out)
    limits, scratch, units = _limits(x, low, high, half), _scratch(x), zeros.size
    planes = max(1, BLOCK // inner) * inner
    for plane in range(0, x.size, planes):
        for start in range(plane, min(plane + planes, x.size), BLOCK):
            stop = min(start + BLOCK, plane + planes, x.size)
            values = _load(x[start:stop], half, scratch)
            if _add_block(values, limits, out):
                unit = (start // inner) % units
                for first in range(0, values.size, inner):
                    zero, full = _count_plane(values[first : first + inner], limits)
                    zeros[unit] += np.int64(zero)
                    saturated[unit] += np.int64(full)
                    unit = unit + 1 if unit + 1 < units else 0


@helper
def _relevance(g: Any, a: Any, relevance: Any) -> None:
    signed = absolute = 0.0
    for k in range(g.size):
        raw = np.float64(g[k]) * np.float64(a[k])
        product = raw if abs(raw) < np.inf else 0.0
        signed += product
        absolute += abs(product)
    relevance[0] += signed
    relevance[1] += absolute


@kernel
def gradient_statistics(g: Any, a: Any, out: Any, relevance: Any, half: bool, fresh: bool) -> None:
    """Add the figures of `g` to `out`, and the sums of g * a and |g * a| to `relevance`."""
    if fresh:
        _start(out)
        relevance[:2] = 0.0
    limits, scratch, other = _limits(g, -np.inf, np.inf, half), _scratch(g), _scratch(a)
    for start in range(0, g.size, BLOCK):
        block = slice(start, start + BLOCK)
        values = _load(g[block], half, scratch)
        _add_block(values, limits, out)
        _relevance(values, _load(a[block], half, other), relevance)


@kernel
def update_statistics(new: Any, previous: Any, out_weight: Any, out_update: Any, half: bool, fresh: bool) -> None:
    """Add the figures of `new` and of `new - previous` to the two outputs, and copy `new` into `previous`."""
    if fresh:
        _start(out_weight)
        _start(out_update)
    limits, scratch, other = _limits(new, -np.inf, np.inf, half), _scratch(new), _scratch(new)
    differences = np.empty(BLOCK, scratch.dtype)
    wide_limits = _limits(differences, -np.inf, np.inf, False)
    for start in range(0, new.size, BLOCK):
        block = slice(start, start + BLOCK)
        values, before = _load(new[block], half, scratch), _load(previous[block], half, other)
        difference = differences[: values.size]
        for k in range(values.size):
            difference[k] = values[k] - before[k]
        previous[block] = new[block]
        _add_block(values, limits, out_weight)
        _add_block(difference, wide_limits, out_update)


@kernel
def nonfinite(x: Any, half: bool) -> int:
    """The number of NaN and infinities in `x`."""
    total, scratch = 0, _scratch(x)
    for start in range(0, x.size, BLOCK):
        values = _load(x[start : start + BLOCK], half, scratch)
        top = _magnitude(values.dtype.type(np.inf))
        found = np.uint32(0)
        for k in range(values.size):
            found = np.uint32(found + np.uint32(_magnitude(values[k]) >= top))
        total += int(found)
    return total
