"""hypocenter.kernels."""
