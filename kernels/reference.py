"""The kernels said slowly and plainly in numpy: they define the figures, and stand in when numba cannot be used."""

import ctypes
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hypocenter.kernels.figures import STATISTICS, WIDTH
from hypocenter.kernels.layout import check_dtype, check_pair, check_units

_SMALLEST_NORMAL: Final = {
    "float16": 2.0**-14,
    "bfloat16": 2.0**-126,
    "float32": 2.0**-126,
    "float64": 2.0**-1022,
}  # IEEE 754-2019, table 3.5 (emin); bfloat16 has the exponents of float32


def widen(x: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The values of `x` in the precision of the comparisons: float64 for float64, else float32 (exact)."""
    if dtype == "bfloat16":
        return (np.asarray(x, np.uint32) << np.uint32(16)).view(np.float32)
    if dtype == "float16":
        return np.asarray(x).view(np.float16).astype(np.float32)
    return np.asarray(x, dtype)


def _saturation(x: NDArray[Any], low: float, high: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    with np.errstate(over="ignore"):  # a bound beyond float32 rounds to infinity
        lower, upper = x.dtype.type(low), x.dtype.type(high)
    finite = np.isfinite(x)
    return finite & (x <= lower), finite & (x >= upper)


def _figures(x: NDArray[Any], low: float, high: float, smallest_normal: float) -> dict[str, float]:
    finite = x[np.isfinite(x)].astype(np.float64)
    below, above = _saturation(x, low, high)
    magnitude = np.abs(finite)
    with np.errstate(over="ignore"):  # sums of float64 may be infinite
        total, sumsq = np.sum(finite), np.sum(np.square(finite))
    return {
        "count": x.size,
        "nan": np.count_nonzero(np.isnan(x)),
        "posinf": np.count_nonzero(x == np.inf),
        "neginf": np.count_nonzero(x == -np.inf),
        "zeros": np.count_nonzero(finite == 0),
        "negatives": np.count_nonzero(finite < 0),
        "subnormals": np.count_nonzero((magnitude > 0) & (magnitude < smallest_normal)),
        "min": np.min(finite, initial=np.inf),
        "max": np.max(finite, initial=-np.inf),
        "sum": total,
        "sumsq": sumsq,
        "absmax": np.max(magnitude, initial=0.0),
        "low": np.count_nonzero(below),
        "high": np.count_nonzero(above),
    }


def _write(out: NDArray[np.float64], figures: dict[str, float]) -> None:
    out[:WIDTH] = [figures[name] for name in STATISTICS]


class ReferenceKernels:
    """The kernels in numpy: about thirty passes over each tensor, and float64 copies of it."""

    name = "numpy"

    def statistics(
        self,
        x: NDArray[Any],
        out: NDArray[np.float64],
        low: float = -np.inf,
        high: float = np.inf,
        dtype: str | None = None,
    ) -> None:
        """See `Kernels.statistics`."""
        name = check_dtype(x, dtype)
        _write(out, _figures(widen(x, name), low, high, _SMALLEST_NORMAL[name]))

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
        self.statistics(x, out, low, high, dtype)
        values = widen(x, check_dtype(x, dtype))
        below, above = _saturation(values, low, high)
        others = tuple(other for other in range(x.ndim) if other != axis)
        zeros += np.count_nonzero(values == 0, axis=others)
        saturated += np.count_nonzero(below | above, axis=others)

    def gradient_statistics(
        self,
        g: NDArray[Any],
        a: NDArray[Any],
        out: NDArray[np.float64],
        relevance: NDArray[np.float64],
        dtype: str | None = None,
    ) -> None:
        """See `Kernels.gradient_statistics`."""
        check_pair(g, a, "A gradient and its activation")
        self.statistics(g, out, dtype=dtype)
        name = check_dtype(g, dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # products that are not finite are left out
            products = widen(g, name).astype(np.float64) * widen(a, name).astype(np.float64)
        products = products[np.isfinite(products)]
        relevance[0] = np.sum(products)
        relevance[1] = np.sum(np.abs(products))

    def update_statistics(
        self,
        new: NDArray[Any],
        previous: NDArray[Any],
        out_weight: NDArray[np.float64],
        out_update: NDArray[np.float64],
        dtype: str | None = None,
    ) -> None:
        """See `Kernels.update_statistics`."""
        check_pair(new, previous, "A parameter and its previous value")
        self.statistics(new, out_weight, dtype=dtype)
        name = check_dtype(new, dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # inf - inf is NaN, and counted as such
            difference = widen(new, name) - widen(previous, name)
        self.statistics(difference, out_update)
        previous[...] = new

    def statistics_table(
        self, addresses: NDArray[np.int64], sizes: NDArray[np.int64], out: NDArray[np.float64]
    ) -> None:
        """See `Kernels.statistics_table`."""
        for i, (address, size) in enumerate(zip(addresses, sizes, strict=True)):
            self.statistics(_memory(address, size), out[i])

    def update_table(
        self,
        new: NDArray[np.int64],
        previous: NDArray[np.int64],
        sizes: NDArray[np.int64],
        out_weight: NDArray[np.float64],
        out_update: NDArray[np.float64],
    ) -> None:
        """See `Kernels.update_table`."""
        for i, size in enumerate(sizes):
            now, before = _memory(new[i], size), _memory(previous[i], size)
            self.update_statistics(now, before, out_weight[i], out_update[i])

    def nonfinite(self, x: NDArray[Any], dtype: str | None = None) -> int:
        """See `Kernels.nonfinite`."""
        values = widen(x, check_dtype(x, dtype))
        return int(values.size - np.count_nonzero(np.isfinite(values)))


def _memory(address: np.int64, size: np.int64) -> NDArray[np.float32]:
    """The float32 array of `size` elements at an address."""
    return np.ctypeslib.as_array((ctypes.c_float * int(size)).from_address(int(address)))
