"""hypocenter.lower."""
