"""hypocenter.report."""
