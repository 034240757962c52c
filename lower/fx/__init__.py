"""hypocenter.lower.fx."""
