"""The figures that one kernel pass computes, and the order in which it writes them."""

from typing import Final

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
