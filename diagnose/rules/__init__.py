"""hypocenter.diagnose.rules."""
