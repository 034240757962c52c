"""What a compiled pass does with one block of a tensor.

A block fits the first-level cache. `_quick` takes all its figures in one vectorised loop, with sums in the precision
of the values; it orders floats by their bit patterns, because an integer minimum vectorises where the minimum of
floats with NaN does not. The extremes then tell whether the block holds NaN, infinities, or values whose squares
float32 cannot hold; only such a block is read again by `_careful`, which tests every value and sums in float64.
16-bit values are widened block by block into a small float32 buffer.
"""

from typing import Any

import numpy as np

from hypocenter.kernels.numba_floats import magnitude_of, order_of, value_of
from hypocenter.kernels.numba_jit import helper


@helper
def _quick(x: Any, limits: Any) -> Any:
    low, high, normal = limits.low, limits.high, magnitude_of(limits.normal)
    total, squares = limits.zero, limits.zero
    smallest, largest = order_of(limits.infinity), order_of(-limits.infinity)
    zeros = negatives = below_normal = at_low = at_high = np.uint32(0)
    for k in range(x.size):
        v = x[k]
        total += v
        squares += v * v
        order, magnitude = order_of(v), magnitude_of(v)
        smallest, largest = min(smallest, order), max(largest, order)
        zeros = np.uint32(zeros + np.uint32(magnitude == 0))
        negatives = np.uint32(negatives + np.uint32(order < -1))  # -1 is -0.0
        below_normal = np.uint32(below_normal + np.uint32(magnitude < normal))
        at_low = np.uint32(at_low + np.uint32(v <= low))
        at_high = np.uint32(at_high + np.uint32(v >= high))
    return np.float64(total), np.float64(squares), smallest, largest, zeros, negatives, below_normal, at_low, at_high


@helper
def _careful_sums(x: Any, limits: Any) -> Any:
    zero, top = limits.zero, order_of(limits.infinity)
    total = squares = 0.0
    for k in range(x.size):
        v = x[k]
        w = np.float64(v if magnitude_of(v) < top else zero)
        total += w
        squares += w * w
    return total, squares


@helper
def _careful_extremes(x: Any, limits: Any) -> Any:
    top, bottom = order_of(limits.infinity), order_of(-limits.infinity)
    smallest, largest = top, bottom
    for k in range(x.size):
        order, finite = order_of(x[k]), magnitude_of(x[k]) < top
        smallest = min(smallest, order if finite else top)
        largest = max(largest, order if finite else bottom)
    return smallest, largest


@helper
def _careful(x: Any, limits: Any, out: Any) -> Any:
    """The figures of `_quick` over the finite values; in three loops, because LLVM vectorises no larger ones."""
    low, high, normal = limits.low, limits.high, magnitude_of(limits.normal)
    top, bottom = order_of(limits.infinity), order_of(-limits.infinity)
    nan = posinf = neginf = zeros = negatives = below_normal = at_low = at_high = np.uint32(0)
    for k in range(x.size):
        v = x[k]
        order, magnitude = order_of(v), magnitude_of(v)
        finite = magnitude < top
        nan = np.uint32(nan + np.uint32(magnitude > top))
        posinf = np.uint32(posinf + np.uint32(order == top))
        neginf = np.uint32(neginf + np.uint32(order == bottom))
        zeros = np.uint32(zeros + np.uint32(magnitude == 0))
        negatives = np.uint32(negatives + np.uint32(finite & (order < -1)))
        below_normal = np.uint32(below_normal + np.uint32(magnitude < normal))
        at_low = np.uint32(at_low + np.uint32(finite & (v <= low)))
        at_high = np.uint32(at_high + np.uint32(finite & (v >= high)))
    out[1] += nan
    out[2] += posinf
    out[3] += neginf
    total, squares = _careful_sums(x, limits)
    smallest, largest = _careful_extremes(x, limits)
    return total, squares, smallest, largest, zeros, negatives, below_normal, at_low, at_high


@helper
def add_block(x: Any, limits: Any, out: Any) -> Any:
    """Add the figures of one block to `out`; true when the block has zeros or values at a bound."""
    figures = _quick(x, limits)
    smallest, largest = value_of(figures[2]), value_of(figures[3])
    peak = max(-smallest, largest)
    special = not (smallest > -limits.infinity and largest < limits.infinity)
    if special or peak > limits.squares_to or limits.zero < peak < limits.squares_from:
        figures = _careful(x, limits, out)
        smallest, largest = value_of(figures[2]), value_of(figures[3])
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
def restart(out: Any) -> None:
    """Write the statistics of nothing."""
    out[:14] = 0.0
    out[7], out[8] = np.inf, -np.inf


@helper
def count_column(x: Any, limits: Any, first: int, zeros: Any, saturated: Any) -> None:
    """Add each element's figures to the counter of its own place, the first element to counter `first`."""
    low, high, top = limits.low, limits.high, order_of(limits.infinity)
    zeros, saturated = zeros[first : first + x.size], saturated[first : first + x.size]
    for k in range(x.size):
        v = x[k]
        zeros[k] = np.uint32(zeros[k] + np.uint32(magnitude_of(v) == 0))
        saturated[k] = np.uint32(saturated[k] + np.uint32((magnitude_of(v) < top) & ((v <= low) | (v >= high))))


@helper
def count_plane(x: Any, limits: Any) -> Any:
    """The zeros and the saturated values of a stretch that belongs to one unit."""
    low, high, top = limits.low, limits.high, order_of(limits.infinity)
    zeros = saturated = np.uint32(0)
    for k in range(x.size):
        v = x[k]
        zeros = np.uint32(zeros + np.uint32(magnitude_of(v) == 0))
        saturated = np.uint32(saturated + np.uint32((magnitude_of(v) < top) & ((v <= low) | (v >= high))))
    return zeros, saturated


@helper
def add_relevance(g: Any, a: Any, relevance: Any) -> None:
    """Add the finite products of a block to the sums of g * a and |g * a|."""
    signed = absolute = 0.0
    for k in range(g.size):
        raw = np.float64(g[k]) * np.float64(a[k])
        product = raw if abs(raw) < np.inf else 0.0
        signed += product
        absolute += abs(product)
    relevance[0] += signed
    relevance[1] += absolute


@helper
def subtract(x: Any, y: Any, difference: Any) -> None:
    """Write x - y."""
    for k in range(x.size):
        difference[k] = x[k] - y[k]


@helper
def copy(x: Any, y: Any) -> None:
    """Write x to y, in a loop of its own so that it becomes one memory copy."""
    for k in range(x.size):
        y[k] = x[k]


@helper
def count_nonfinite(x: Any, limits: Any) -> Any:
    """The NaN and infinities of a block."""
    top, found = magnitude_of(limits.infinity), np.uint32(0)
    for k in range(x.size):
        found = np.uint32(found + np.uint32(magnitude_of(x[k]) >= top))
    return found
