"""One fused pass per tensor: all figures that a probe records, in numba, and in the numpy that defines them."""

from hypocenter.kernels.figures import STATISTICS, merge
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.selection import Selection, select
from hypocenter.kernels.warmup import Warmup, warm_up

__all__ = ["STATISTICS", "Kernels", "Selection", "Warmup", "merge", "select", "warm_up"]
