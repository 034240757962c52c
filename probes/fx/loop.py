"""Facts of the user's training loop."""

from typing import Any

from hypocenter.ir.frames import with_snippet
from hypocenter.ir.site import Site


def length(loader: Any) -> int | None:
    """Batches of a data loader; None when it does not know."""
    try:
        return len(loader)
    except TypeError:  # an iterable dataset has no length
        return None


def loop_site(site: Site | None) -> dict[str, Any] | None:
    """A line of the training loop, for an event."""
    return None if site is None else with_snippet(site.with_role("loop")).to_dict()
