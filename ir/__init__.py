"""hypocenter.ir."""
