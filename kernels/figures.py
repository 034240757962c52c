"""The figures that one kernel pass computes, and the order in which it writes them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Statistics of one tensor, in the order in which kernels write them; counts are exact up to 2**53.
#: min, max, sum, sumsq and absmax are over finite values only (min=+inf, max=-inf, others 0 when there are none).
STATISTICS: Final = (
    "count",  # elements
    "nan",
    "posinf",
    "neginf",
    "zeros",
    "negatives",  # finite values < 0
    "subnormals",
    "min",
    "max",
    "sum",
    "sumsq",
    "absmax",
    "low",  # finite values <= the lower bound of the op
    "high",  # finite values >= the upper bound of the op
)

MIN: Final = STATISTICS.index("min")
MAX: Final = STATISTICS.index("max")
ABSMAX: Final = STATISTICS.index("absmax")
WIDTH: Final = len(STATISTICS)

#: The figures that add up over the parts of a tensor; the other three take the extreme of the parts.
ADDITIVE: Final = np.array([name not in {"min", "max", "absmax"} for name in STATISTICS])


def empty() -> NDArray[np.float64]:
    """The statistics of a tensor without elements: the neutral element of `merge`, shape (14,)."""
    figures = np.zeros(WIDTH)
    figures[MIN], figures[MAX] = np.inf, -np.inf
    return figures


def merge(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The statistics of two disjoint parts taken together; the order of the parts only rounds the two sums.

    Args:
        a: Statistics of one part, shape (14,), in the order of `STATISTICS`.
        b: Statistics of the other part, measured with the same bounds.
    """
    merged = a + b
    merged[MIN] = min(a[MIN], b[MIN])
    merged[MAX] = max(a[MAX], b[MAX])
    merged[ABSMAX] = max(a[ABSMAX], b[ABSMAX])
    return merged
