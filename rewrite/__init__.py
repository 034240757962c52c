"""hypocenter.rewrite."""
