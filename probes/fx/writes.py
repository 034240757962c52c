"""Where parameters were set before their model was first called: the line of an initialisation of the user's own."""

import sys
import weakref
from types import FrameType

import torch

from hypocenter.ir.frames import call_sites, with_snippet
from hypocenter.ir.site import Site

#: Functions of modules that give their parameters the values they have by default.
_DEFAULT = frozenset({"reset_parameters", "_reset_parameters"})
#: Frames between us and the caller that are looked through for one of these.
_MAX_DEPTH = 24


class Writes:
    """The last line that set each parameter in place, by identity and without keeping anything alive."""

    def __init__(self) -> None:
        self._sites: dict[int, tuple[weakref.ref[torch.Tensor], Site]] = {}
        self._views: dict[int, tuple[weakref.ref[torch.Tensor], weakref.ref[torch.Tensor]]] = {}

    def viewed(self, view: torch.Tensor, parameter: torch.Tensor) -> None:
        """`view` is `parameter.data`: to write into it is to write into the parameter."""
        self._views = {key: entry for key, entry in self._views.items() if entry[0]() is not None}
        self._views[id(view)] = (weakref.ref(view), weakref.ref(parameter))

    def owner(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The parameter whose `.data` the tensor is; None when it is nobody's."""
        entry = self._views.get(id(tensor))
        return entry[1]() if entry is not None and entry[0]() is tensor else None

    def note(self, parameter: torch.Tensor, caller: FrameType) -> None:
        """`parameter` was set in place by code that `caller` runs or calls; values by default have no line."""
        if _by_default(caller):
            self._sites.pop(id(parameter), None)
            return
        call, user = call_sites(caller)
        site = user or call
        if site is not None:
            self._sites[id(parameter)] = (weakref.ref(parameter), with_snippet(site))

    def site(self, parameter: torch.Tensor) -> Site | None:
        """The line that last set the parameter; None for the values by default."""
        entry = self._sites.get(id(parameter))
        return entry[1] if entry is not None and entry[0]() is parameter else None


def _by_default(caller: FrameType) -> bool:
    frame: FrameType | None = sys._getframe(2)
    for _ in range(_MAX_DEPTH):
        if frame is None or frame is caller:
            return False
        if frame.f_code.co_name in _DEFAULT:
            return True
        frame = frame.f_back
    return False
