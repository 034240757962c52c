"""hypocenter.diagnose."""
