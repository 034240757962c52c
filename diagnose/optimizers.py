"""The optimizers of a run: their settings, where these were set, and what is usual for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from hypocenter.ir.site import Site

#: Largest learning rate that is usual for each optimizer: ten times the default of its paper or of PyTorch
#: (Adam and its kin: 0.001, Kingma & Ba 2015; RMSprop 0.01, Adagrad 0.01, Lion 1e-4: PyTorch 2 and Chen et al.
#: 2023), and for SGD 1.0, ten times the 0.1 with momentum 0.9 of He et al. 2016.
USUAL_MAXIMUM: Final[Mapping[str, float]] = {
    "Adadelta": 10.0,
    "Adafactor": 0.1,
    "Adagrad": 0.1,
    "Adam": 0.01,
    "AdamW": 0.01,
    "Adamax": 0.02,
    "LBFGS": 10.0,
    "Lion": 0.001,
    "Muon": 0.2,
    "NAdam": 0.02,
    "RAdam": 0.01,
    "RMSprop": 0.1,
    "Rprop": 0.1,
    "SGD": 1.0,
    "SparseAdam": 0.01,
}
#: A learning rate that usually trains, to propose in a fix: the defaults named above.
USUAL: Final[Mapping[str, float]] = {name: limit / 10 for name, limit in USUAL_MAXIMUM.items()} | {"SGD": 0.01}


@dataclass(frozen=True)
class Optimizer:
    """One optimizer of the program.

    Args:
        index: Its number, as in `optimizer0`.
        name: Class name, such as `Adam`.
        groups: The parameter groups with their settings, when the optimizer was made.
        missing: Trainable parameters of the model that no optimizer has.
        site: The line that makes it.
        sites: Setting -> the place where its value is written.
    """

    index: int
    name: str
    groups: Sequence[Mapping[str, Any]] = ()
    missing: Sequence[str] = ()
    site: Site | None = None
    sites: Mapping[str, Site] = field(default_factory=dict)

    @classmethod
    def from_event(cls, event: Mapping[str, Any], index: int) -> Self:
        """Reads the event of kind `optimizer`."""
        site = event.get("site")
        sites = {name: Site.from_dict(place) for name, place in (event.get("sites") or {}).items() if place}
        number = event.get("id")
        return cls(
            number if isinstance(number, int) else index,
            str(event.get("class", "optimizer")),
            tuple(event.get("groups") or ()),
            tuple(event.get("missing") or ()),
            Site.from_dict(site) if site else None,
            sites,
        )

    def where(self, setting: str = "lr") -> Site | None:
        """The place of a setting, or the line that makes the optimizer."""
        return self.sites.get(setting) or self.site

    def setting(self, name: str) -> float | None:
        """The largest value of a numeric setting over the groups; None when no group has it."""
        values = [group[name] for group in self.groups if isinstance(group.get(name), (int, float))]
        return float(max(values)) if values else None

    @property
    def lr(self) -> float | None:
        """The largest learning rate of its groups when it was made."""
        return self.setting("lr")

    @property
    def usual_maximum(self) -> float:
        """The largest usual learning rate; for SGD with momentum m, lr / (1 - m) is compared with 1.0."""
        momentum = (self.setting("momentum") or 0.0) if self.name == "SGD" else 0.0
        return USUAL_MAXIMUM.get(self.name, 1.0) * (1.0 - min(max(momentum, 0.0), 0.99))

    @property
    def usual(self) -> float:
        """A learning rate that usually trains."""
        return USUAL.get(self.name, 0.001)
