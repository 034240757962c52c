"""What every implementation of the kernels offers: one pass over a tensor, all figures at once."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Kernels(Protocol):
    """The passes over one tensor.

    Tensors are numpy arrays of float16, float32 or float64 in any layout (permuted, strided, expanded, empty,
    0-d), or uint16 with `dtype="bfloat16"`. An expanded tensor counts its logical elements. Bounds are rounded
    to the precision in which the values are compared: float64 for float64, float32 for every other dtype.
    Sums are float64 sums of partial sums over blocks; counts, extremes and bounds are exact.

    `out` arrays are C-contiguous float64 with at least 14 elements; the first 14 are overwritten.

    Raises (all methods): hypocenter.errors.BadInputError for integers, bool, complex and other dtypes, and for
    two arrays that do not fit each other.
    """

    name: str

    def statistics(
        self,
        x: NDArray[Any],
        out: NDArray[np.float64],
        low: float = -np.inf,
        high: float = np.inf,
        dtype: str | None = None,
    ) -> None:
        """Write the figures of `x` to `out[:14]`, in the order of `STATISTICS`."""

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
        """The same as `statistics`, and per unit the zeros and the finite values at or beyond a bound.

        Args:
            x: The tensor; its units lie along `axis`.
            out: The figures, as in `statistics`.
            low: Lower bound; values <= low are saturated.
            high: Upper bound; values >= high are saturated.
            axis: The axis of the units (channels, features), negative from the end.
            zeros: Per unit, shape (x.shape[axis],); the zeros of `x` are added to it.
            saturated: Per unit, shape (x.shape[axis],); the saturated values of `x` are added to it.
            dtype: "bfloat16" when `x` holds its bits.
        """

    def gradient_statistics(
        self,
        g: NDArray[Any],
        a: NDArray[Any],
        out: NDArray[np.float64],
        relevance: NDArray[np.float64],
        dtype: str | None = None,
    ) -> None:
        """Write the figures of the gradient `g` to `out`, and what it says about the activation `a`.

        `relevance[0]` is the sum of g * a, `relevance[1]` the sum of |g * a| (first-order Taylor relevance:
        Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference", ICLR 2017),
        products in float64, over the finite products. `a` has the shape and dtype of `g`; layouts may differ.
        """

    def update_statistics(
        self,
        new: NDArray[Any],
        previous: NDArray[Any],
        out_weight: NDArray[np.float64],
        out_update: NDArray[np.float64],
        dtype: str | None = None,
    ) -> None:
        """Write the figures of `new` and of `new - previous`, and copy `new` into `previous`.

        The difference is taken in float32 (float64 for float64), and its subnormals are those of that precision.
        `previous` has the shape and dtype of `new`, is writeable and shares no memory with it.
        """

    def statistics_table(
        self, addresses: NDArray[np.int64], sizes: NDArray[np.int64], out: NDArray[np.float64]
    ) -> None:
        """`statistics` of many tensors in one call: their figures go to the rows of `out`, shape (tensors, >= 14).

        Args:
            addresses: Of each tensor's memory: contiguous float32, alive during the call. Wrong ones crash.
            sizes: Elements of each tensor.
            out: The figures, C-contiguous.
        """

    def update_table(
        self,
        new: NDArray[np.int64],
        previous: NDArray[np.int64],
        sizes: NDArray[np.int64],
        out_weight: NDArray[np.float64],
        out_update: NDArray[np.float64],
    ) -> None:
        """`update_statistics` of many pairs of tensors in one call, addressed as in `statistics_table`."""

    def nonfinite(self, x: NDArray[Any], dtype: str | None = None) -> int:
        """The number of NaN and infinite values in `x`: the cheapest look at a tensor."""
