"""The kernels compiled by numba: which compiled pass serves which tensor."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hypocenter.kernels import numba_passes as passes
from hypocenter.kernels import numba_tables as tables
from hypocenter.kernels.figures import ADDITIVE, WIDTH, empty
from hypocenter.kernels.layout import (
    check_dtype,
    check_pair,
    check_units,
    collapse,
    memory_order,
    pieces,
    ready,
    unit_pieces,
)

_FLOAT32: Final = np.dtype(np.float32)
_INFINITY: Final = float("inf")


def _patterns(x: NDArray[Any], dtype: str | None) -> tuple[NDArray[Any], bool]:
    """The array that the passes read (16-bit floats as their bits), and whether it holds float16."""
    name = check_dtype(x, dtype)
    return (x.view(np.uint16) if x.dtype == np.float16 else x), name == "float16"


def _plain_pair(x: NDArray[Any], y: NDArray[Any]) -> bool:
    """Whether two tensors can go to a pass as they are."""
    return x.dtype is y.dtype is _FLOAT32 and x.shape == y.shape and x.flags.carray and y.flags.carray


class NumbaKernels:
    """The kernels in one compiled pass each.

    A contiguous float32 tensor goes to its pass at once; every other one is first brought into a form that the
    passes read (`hypocenter.kernels.layout`).
    """

    name = "numba"

    def statistics(
        self,
        x: NDArray[Any],
        out: NDArray[np.float64],
        low: float = -_INFINITY,
        high: float = _INFINITY,
        dtype: str | None = None,
    ) -> None:
        """See `Kernels.statistics`."""
        if dtype is None and x.dtype is _FLOAT32 and x.flags.carray:
            passes.statistics(x.reshape(-1), out, float(low), float(high), False, True)
            return
        low, high = float(low), float(high)  # an int would have the pass compiled once more
        x, half = _patterns(x, dtype)
        if x.flags.carray:
            passes.statistics(ready(x), out, low, high, half, True)
            return
        view, repeats = collapse(x)
        fresh = True
        for (piece,) in ((view,),) if view.flags.carray else pieces(view):
            passes.statistics(ready(piece), out, low, high, half, fresh)
            fresh = False
        if repeats > 1:
            out[:WIDTH][ADDITIVE] *= repeats

    def unit_statistics(
        self,
        x: NDArray[Any],
        out: NDArray[np.float64],
        low: float,
        high: float,
        axis: int,
        zeros: NDArray[np.int64],
        saturated: NDArray[np.int64],
        dtype: str | None = None,
    ) -> None:
        """See `Kernels.unit_statistics`."""
        axis = check_units(x, axis, zeros, saturated)
        low, high = float(low), float(high)
        half = False
        if dtype is not None or x.dtype is not _FLOAT32:
            x, half = _patterns(x, dtype)
        if x.flags.carray:
            _unit_pass(x, axis, out, low, high, half, zeros, saturated, True)
            return
        out[:WIDTH] = empty()
        kept = x[tuple(slice(0, 1) if x.strides[i] == 0 and i != axis else slice(None) for i in range(x.ndim))]
        repeats = x.size // max(kept.size, 1)
        order = memory_order(kept)
        dense = kept.transpose(order)
        new_zeros, new_saturated = np.zeros_like(zeros), np.zeros_like(saturated)
        if dense.flags.carray:
            _unit_pass(dense, order.index(axis), out, low, high, half, new_zeros, new_saturated, False)
        else:
            moved = np.moveaxis(kept, axis, 0)
            for piece, some_zeros, some_saturated in unit_pieces(moved, new_zeros, new_saturated):
                whole = ready(piece).reshape(piece.shape)
                _unit_pass(whole, 0, out, low, high, half, some_zeros, some_saturated, False)
        zeros += new_zeros * repeats
        saturated += new_saturated * repeats
        out[:WIDTH][ADDITIVE] *= repeats

    def gradient_statistics(
        self,
        g: NDArray[Any],
        a: NDArray[Any],
        out: NDArray[np.float64],
        relevance: NDArray[np.float64],
        dtype: str | None = None,
    ) -> None:
        """See `Kernels.gradient_statistics`."""
        if dtype is None and _plain_pair(g, a):
            passes.gradient_statistics(g.reshape(-1), a.reshape(-1), out, relevance, False, True)
            return
        check_pair(g, a, "A gradient and its activation")
        (g, half), (a, _) = _patterns(g, dtype), _patterns(a, dtype)
        if not (g.flags.carray and a.flags.carray):
            order = memory_order(a)
            g, a = g.transpose(order), a.transpose(order)
        if g.flags.carray and a.flags.carray:
            passes.gradient_statistics(g.reshape(-1), a.reshape(-1), out, relevance, half, True)
            return
        out[:WIDTH] = empty()
        relevance[:2] = 0.0
        for some_g, some_a in pieces(g, a):
            passes.gradient_statistics(ready(some_g), ready(some_a), out, relevance, half, False)

    def update_statistics(
        self,
        new: NDArray[Any],
        previous: NDArray[Any],
        out_weight: NDArray[np.float64],
        out_update: NDArray[np.float64],
        dtype: str | None = None,
    ) -> None:
        """See `Kernels.update_statistics`."""
        if dtype is None and _plain_pair(new, previous):
            passes.update_statistics(new.reshape(-1), previous.reshape(-1), out_weight, out_update, False, True)
            return
        check_pair(new, previous, "A parameter and its previous value")
        (new, half), (previous, _) = _patterns(new, dtype), _patterns(previous, dtype)
        if not (new.flags.carray and previous.flags.carray):
            order = memory_order(new)
            new, previous = new.transpose(order), previous.transpose(order)
        if new.flags.carray and previous.flags.carray:
            passes.update_statistics(new.reshape(-1), previous.reshape(-1), out_weight, out_update, half, True)
            return
        out_weight[:WIDTH] = empty()
        out_update[:WIDTH] = empty()
        for some_new, some_previous in pieces(new, previous):
            flat = ready(some_previous)
            passes.update_statistics(ready(some_new), flat, out_weight, out_update, half, False)
            some_previous[...] = some_new

    def statistics_table(
        self, addresses: NDArray[np.int64], sizes: NDArray[np.int64], out: NDArray[np.float64]
    ) -> None:
        """See `Kernels.statistics_table`."""
        tables.statistics_table(addresses, sizes, out)

    def update_table(
        self,
        new: NDArray[np.int64],
        previous: NDArray[np.int64],
        sizes: NDArray[np.int64],
        out_weight: NDArray[np.float64],
        out_update: NDArray[np.float64],
    ) -> None:
        """See `Kernels.update_table`."""
        tables.update_table(new, previous, sizes, out_weight, out_update)

    def nonfinite(self, x: NDArray[Any], dtype: str | None = None) -> int:
        """See `Kernels.nonfinite`."""
        if dtype is None and x.dtype is _FLOAT32 and x.flags.carray:
            return int(passes.nonfinite(x.reshape(-1), False))
        x, half = _patterns(x, dtype)
        view, repeats = collapse(x)
        parts = ((view,),) if view.flags.carray else pieces(view)
        return repeats * sum(int(passes.nonfinite(ready(piece), half)) for (piece,) in parts)


def _unit_pass(
    x: NDArray[Any],
    axis: int,
    out: NDArray[np.float64],
    low: float,
    high: float,
    half: bool,
    zeros: NDArray[np.int64],
    saturated: NDArray[np.int64],
    fresh: bool,
) -> None:
    """Run the pass for C-contiguous `x` with its units along `axis`."""
    flat, inner = x.reshape(-1), math.prod(x.shape[axis + 1 :])
    if flat.size == 0 or inner == 1:
        if zeros.size == 0:
            passes.statistics(flat, out, low, high, half, fresh)
        else:
            passes.last_unit_statistics(flat, out, low, high, half, zeros, saturated, fresh)
    else:
        passes.plane_unit_statistics(flat, out, low, high, half, zeros, saturated, inner, fresh)
