"""Which memory a tensor really occupies: flat where it is dense in any order, else in small pieces.

A kernel pass reads one-dimensional, contiguous, native arrays. Most tensors are that after their axes are
sorted by stride (channels-last, transposed weights); the others are cut into pieces that are copied one by one,
so that no copy of a whole large tensor is ever made.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hypocenter.errors import BadInputError

#: Elements of a piece that is copied: small enough for the second-level cache (256 KiB of float32).
PIECE: Final = 65_536

_FLOATS: Final = {np.dtype(name): name for name in ("float16", "float32", "float64")}
_BITS: Final = np.dtype(np.uint16)
_BITS_OF: Final = frozenset({"bfloat16", "float16"})


def check_dtype(x: NDArray[Any], dtype: str | None) -> str:
    """The name of the tensor's dtype: "float16", "bfloat16", "float32" or "float64".

    Args:
        x: The tensor, or its bits as uint16.
        dtype: What the bits mean, when numpy cannot know: "bfloat16" (or "float16" for bits).

    Raises:
        BadInputError: for a dtype that has no statistics.
    """
    if dtype is not None and dtype in _BITS_OF and x.dtype == _BITS:
        return dtype
    known = _FLOATS.get(x.dtype)
    if known is not None and (dtype is None or dtype == known):
        return known
    name = str(x.dtype)
    if dtype is None or dtype == name:
        raise BadInputError(
            f"Statistics are for floating-point tensors (float16, bfloat16, float32, float64), not {name!r}.",
            slug="tensor-dtype",
        )
    raise BadInputError(
        f"An array of {name!r} cannot be read as {dtype!r}; pass float16, float32 or float64 as they are "
        "and bfloat16 as its bits in uint16.",
        slug="tensor-dtype",
    )


def check_pair(x: NDArray[Any], y: NDArray[Any], names: str) -> None:
    """Refuse two tensors that are not elementwise comparable.

    Raises:
        BadInputError: when shape or dtype differ.
    """
    if x.shape != y.shape or x.dtype != y.dtype:
        raise BadInputError(
            f"{names} must have one shape and dtype, not {x.shape} {x.dtype.name} and {y.shape} {y.dtype.name}.",
            slug="tensor-pair",
        )


def check_units(x: NDArray[Any], axis: int, zeros: NDArray[np.int64], saturated: NDArray[np.int64]) -> int:
    """The axis of the units, counted from 0.

    Raises:
        BadInputError: when `x` has no such axis, or the counters do not have one element per unit.
    """
    if not -x.ndim <= axis < x.ndim:
        raise BadInputError(f"A tensor of shape {x.shape} has no axis {axis} for its units.", slug="unit-axis")
    axis %= x.ndim
    if zeros.shape != (x.shape[axis],) or saturated.shape != zeros.shape:
        raise BadInputError(
            f"Axis {axis} of shape {x.shape} needs counters of shape {(x.shape[axis],)}, "
            f"not {zeros.shape} and {saturated.shape}.",
            slug="unit-axis",
        )
    return axis


def collapse(x: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """A view of the distinct elements of `x` in memory order, and how often each of them counts.

    Expanded axes (stride 0) are dropped, the others sorted by falling stride; for tensors that are dense in memory
    the view is C-contiguous. The order of the elements is lost, their multiset is not.
    """
    repeats = 1
    index: list[Any] = []
    for size, stride in zip(x.shape, x.strides, strict=True):
        if stride == 0 and size > 1:
            repeats *= size
            index.append(0)
        elif stride < 0:
            index.append(slice(None, None, -1))
        else:
            index.append(slice(None))
    view = x[tuple(index)] if x.ndim else x
    return view.transpose(memory_order(view)), repeats


def memory_order(x: NDArray[Any]) -> tuple[int, ...]:
    """The axes of `x` from the largest to the smallest stride."""
    return tuple(sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis])))


def pieces(*arrays: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    """Cut arrays of one shape into matching views of at most `PIECE` elements, along their longest axes."""
    first = arrays[0]
    if first.size <= PIECE:
        yield arrays
        return
    axis = int(np.argmax(first.shape))
    middle = first.shape[axis] // 2
    before = (slice(None),) * axis
    yield from pieces(*(array[(*before, slice(None, middle))] for array in arrays))
    yield from pieces(*(array[(*before, slice(middle, None))] for array in arrays))


def unit_pieces(
    x: NDArray[Any], zeros: NDArray[np.int64], saturated: NDArray[np.int64]
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]]:
    """Cut `x`, whose units lie along axis 0, into pieces of at most `PIECE` elements, each with its units' counters."""
    step = max(1, PIECE * x.shape[0] // max(x.size, 1))
    for start in range(0, x.shape[0], step):
        units = slice(start, start + step)
        for (piece,) in pieces(x[units]) if step == 1 else ((x[units],),):
            yield piece, zeros[units], saturated[units]


def ready(x: NDArray[Any]) -> NDArray[Any]:
    """`x` as a one-dimensional, contiguous, aligned, writeable array: a view of it, or a copy."""
    return (x if x.flags.carray else np.array(x, order="C")).reshape(-1)
