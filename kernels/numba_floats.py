"""Floats as bit patterns: what the compiled kernels need to know about each dtype.

The functions marked `overload` are written for numba's type inference: their Python bodies are never run, the
compiler takes the implementation for the dtype at hand.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir as llvm
from numba import types
from numba.extending import overload

from hypocenter.kernels.numba_jit import helper, instruction

BLOCK = 4096  # elements: two blocks of float32 fill a first-level cache of 32 KiB

# A float32 block whose largest magnitude lies between these has exact enough float32 squares: 4096 * 1e17**2 does
# not overflow, and values whose squares underflow (below 1e-19) weigh less than 1e-10 of the sum beside 1e-12.
SQUARES_FROM, SQUARES_TO = 1e-12, 1e17

_INTEGERS: dict[Any, Any] = {types.float32: types.int32, types.float64: types.int64}
_FLOATS: dict[Any, Any] = {types.int32: types.float32, types.int64: types.float64}


@instruction
def order_of(_context: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """The bit pattern of a float as a signed integer that sorts like the float: -NaN < -inf < -0.0 < 0.0 < NaN."""
    integer = _INTEGERS[value]

    def build(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = llvm.IntType(integer.bitwidth)
        bits = builder.bitcast(arguments[0], kind)
        negative = builder.ashr(bits, llvm.Constant(kind, integer.bitwidth - 1))
        return builder.xor(bits, builder.lshr(negative, llvm.Constant(kind, 1)))

    return integer(value), build


@instruction
def magnitude_of(_context: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
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
def value_of(order: Any) -> Any:
    """The float that `order_of` made an integer of."""
    value = _from_bits(order)
    return value if order >= 0 else _from_bits(order_of(value))


class Limits(NamedTuple):
    """What the values of a tensor are compared with, in the precision in which they are compared."""

    zero: Any
    low: Any
    high: Any
    infinity: Any
    normal: Any  # the smallest normal value of the tensor's dtype
    squares_from: Any  # magnitudes from here ...
    squares_to: Any  # ... to here may be squared and summed in this precision


def limits_of(x: Any, low: float, high: float, half: bool) -> Any:
    """The `Limits` of an array: in float64 for float64, in float32 for float32 and 16-bit patterns."""


@overload(limits_of)
def _limits_overload(x: Any, low: Any, high: Any, half: Any) -> Any:  # noqa: ARG001 - numba matches the names
    if x.dtype == types.float64:

        def double(x: Any, low: Any, high: Any, half: Any) -> Any:  # noqa: ARG001 - numba matches the names
            return Limits(0.0, low, high, np.inf, 2.0**-1022, 0.0, np.inf)

        return double
    f32 = np.float32

    def single(x: Any, low: Any, high: Any, half: Any) -> Any:  # noqa: ARG001 - numba matches the names
        normal = f32(2.0**-14) if half else f32(2.0**-126)
        return Limits(f32(0), f32(low), f32(high), f32(np.inf), normal, f32(SQUARES_FROM), f32(SQUARES_TO))

    return single


def scratch_for(x: Any) -> Any:
    """A buffer to widen one block of `x` into; of no size when `x` needs none."""


@overload(scratch_for)
def _scratch_overload(x: Any) -> Any:
    size, dtype = (BLOCK, np.float32) if x.dtype == types.uint16 else (0, x.dtype)

    def implementation(x: Any) -> Any:  # noqa: ARG001 - numba matches the names
        return np.empty(size, dtype)

    return implementation


@helper
def _widen_half(x: Any, values: Any) -> None:
    for k in range(x.size):
        m = np.int32(x[k] & np.uint16(0x7FFF))
        subnormal = magnitude_of(np.float32(m) * np.float32(2.0**-24))
        normal = np.int32(np.int32(m << np.int32(13)) + np.int32(112 << 23))
        special = np.int32(np.int32(m << np.int32(13)) | np.int32(0x7F80_0000))
        bits = subnormal if m < np.int32(0x400) else (normal if m < np.int32(0x7C00) else special)
        sign = np.int32(np.int32(x[k] & np.uint16(0x8000)) << np.int32(16))
        values[k] = _from_bits(np.int32(bits | sign))


@helper
def _widen_bfloat(x: Any, values: Any) -> None:
    for k in range(x.size):
        values[k] = _from_bits(np.int32(np.int32(x[k]) << np.int32(16)))


def load(x: Any, half: bool, scratch: Any) -> Any:
    """The values of a block in the precision of the comparisons: the block itself, or its widened copy."""


@overload(load)
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
