"""hypocenter.probes.fx."""
