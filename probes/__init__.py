"""hypocenter.probes."""
