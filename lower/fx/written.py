"""Definition sites of a model that exists already, found in the source."""

from collections.abc import Callable
from types import FrameType

from torch import nn

from hypocenter.ir.site import Site
from hypocenter.lower.definitions import Definitions


def written_sites(model: nn.Module, caller: FrameType) -> Callable[[nn.Module, str, nn.Module], Site | None]:
    """A lookup of definition sites in `model`, which the frame `caller` hands to hypocenter."""
    definitions = Definitions.at(model, caller)

    def site(module: nn.Module, path: str, root: nn.Module) -> Site | None:
        del module, root
        try:
            return definitions.site(path)
        except KeyError:  # added to the model since
            return None

    return site
