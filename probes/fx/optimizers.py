"""What is known of each optimizer: where it was made, with which settings, for which parameters."""

import inspect
import weakref
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch

from hypocenter.ir.expressions import argument_sites, only_call
from hypocenter.ir.frames import site_of, user_frame, with_snippet
from hypocenter.ir.site import Site
from hypocenter.probes.fx.growth import Growth
from hypocenter.probes.fx.registry import Parameter, Registry
from hypocenter.probes.fx.tensors import FLOATING, plain
from hypocenter.probes.recorder import Recorder


@dataclass(slots=True)
class KnownOptimizer:
    """One optimizer."""

    number: int
    optimizer: weakref.ref[torch.optim.Optimizer]
    kind: str
    site: Site | None
    steps: int = 0
    reported: bool = False
    used: bool = False  # a step has used the gradients that stand there
    carried: bool = False  # used gradients stood there still when backward ran again
    rates: dict[int, int] = field(default_factory=dict)  # subject of each group's learning rate

    def groups(self) -> list[list[torch.Tensor]]:
        """Its parameters, group by group; none when it is gone."""
        optimizer = self.optimizer()
        return [] if optimizer is None else [group["params"] for group in optimizer.param_groups]

    def gradients_left(self) -> bool:
        """Whether its first parameters have gradients that are not zero."""
        gradients = [p.grad for params in self.groups() for p in params if p.grad is not None]
        return any(bool(gradient.any()) for gradient in gradients[:3] if gradient.layout is torch.strided)


class Optimizers:
    """All optimizers seen, by identity and without keeping them alive."""

    def __init__(self) -> None:
        self.known: list[KnownOptimizer] = []

    def find(self, optimizer: torch.optim.Optimizer) -> KnownOptimizer | None:
        """What is known of `optimizer`."""
        return next((known for known in self.known if known.optimizer() is optimizer), None)

    def add(self, optimizer: torch.optim.Optimizer, site: Site | None) -> KnownOptimizer:
        """Learn an optimizer."""
        name = type(optimizer).__name__
        known = KnownOptimizer(len(self.known), weakref.ref(optimizer), name, site)
        self.known.append(known)
        return known

    def met(self, optimizer: torch.optim.Optimizer, frame: FrameType) -> KnownOptimizer:
        """Learn an optimizer from the frame that constructed it."""
        maker = user_frame(frame)
        site = with_snippet(site_of(maker, "optimizer")) if maker is not None else None
        return self.find(optimizer) or self.add(optimizer, site)

    def searched(self, optimizer: torch.optim.Optimizer, frame: FrameType) -> KnownOptimizer:
        """Learn an optimizer made before watching began: its line is known if the file has one such call only."""
        user = user_frame(frame)
        site = None
        if user is not None:
            here = site_of(user, "optimizer")
            site = only_call(here.file, type(optimizer).__name__, here)
        return self.add(optimizer, site)

    def parameters(
        self, owner: KnownOptimizer, registry: Registry, growth: Growth
    ) -> list[tuple[Parameter, torch.Tensor]]:
        """The parameters of an optimizer that can be measured; none when it trains a model that is not observed."""
        groups = owner.groups()
        if registry.roots and owner.steps and not any(registry.parameter(p) for params in groups for p in params):
            return []
        every = [(i, j, growth.parameter(p), p) for i, params in enumerate(groups) for j, p in enumerate(params)]
        if registry.roots and not any(known for _, _, known, _ in every):
            return []
        found = []
        for i, j, known, tensor in every:
            if known is None:
                growth.learn_parameter(tensor, f"optimizer{owner.number}.group{i}.parameter{j}")
            learned = known or registry.parameter(tensor)
            if learned is not None and tensor.dtype in FLOATING and plain(tensor):
                found.append((learned, tensor))
        return found

    def missing(self, registry: Registry) -> list[str]:
        """Names of the parameters that want gradients but are in no optimizer."""
        held: set[int] = set()
        for known in self.known:
            optimizer = known.optimizer()
            if optimizer is not None:
                held.update(id(tensor) for group in optimizer.param_groups for tensor in group["params"])
        return [
            known.name for known, tensor in registry.parameters() if tensor.requires_grad and id(tensor) not in held
        ]

    def report(self, recorder: Recorder, registry: Registry, every: bool = False) -> None:
        """Record each optimizer once: when it has stepped, or at the end."""
        for known in self.known:
            if not known.reported and (known.steps or every):
                known.reported = True
                recorder.event("optimizer", **self.event(known, registry))

    def event(self, known: KnownOptimizer, registry: Registry) -> dict[str, Any]:
        """The data of the `optimizer` event; an optimizer that is gone has no groups."""
        optimizer = known.optimizer()
        groups = [] if optimizer is None else [_group(group, registry) for group in optimizer.param_groups]
        sites = {} if known.site is None or not groups else _sites(known.site, optimizer, groups[0])
        return {
            "id": known.number,
            "class": known.kind,
            "steps": known.steps,
            "groups": groups,
            "missing": self.missing(registry),
            "site": None if known.site is None else known.site.to_dict(),
            "sites": {name: site.to_dict() for name, site in sites.items()},
        }


def _group(group: dict[str, Any], registry: Registry) -> dict[str, Any]:
    settings = {name: _plain(value) for name, value in group.items() if name != "params"}
    names = [known.name if (known := registry.parameter(tensor)) is not None else None for tensor in group["params"]]
    return {
        **{name: value for name, value in settings.items() if value is not None},
        "parameters": [name for name in names if name is not None],
        "unknown": names.count(None),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return float(value) if value.numel() == 1 else None
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)) and all(isinstance(item, (int, float)) for item in value):
        return list(value)
    return None


def _sites(site: Site, optimizer: Any, group: dict[str, Any]) -> dict[str, Site]:
    names = [name for name in group if name not in ("parameters", "unknown")]
    order = list(inspect.signature(type(optimizer).__init__).parameters)[1:]
    return argument_sites(site, names, {name: order.index(name) for name in names if name in order})
