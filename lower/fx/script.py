"""A whole script under observation: every model that it makes and calls."""

import re
from collections.abc import Callable

from torch import nn

from hypocenter.ir.frames import with_snippet
from hypocenter.kernels import Kernels
from hypocenter.lower.fx.construction import ConstructionSites
from hypocenter.lower.fx.live import Live, Plan
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schedule import Schedule

_ASSIGNED = re.compile(r"\s*(?:self\.)?([A-Za-z_]\w*)\s*(?::[^=]+)?=[^=]")


def watch_script(
    recorder: Recorder, kernels: Kernels, schedule: Schedule, plan: Plan, checkpoint: Callable[[], None]
) -> Live:
    """Watch every model of the process from now on; called right after torch was imported."""
    sites = ConstructionSites()
    sites.install()

    def name(module: nn.Module) -> str:
        chain = sites.chain(module)
        text = with_snippet(chain[0]).snippet if chain else None
        match = _ASSIGNED.match(text or "")
        return match.group(1) if match else type(module).__name__

    def owner(module: nn.Module) -> nn.Module:
        return _outermost(module, sites)

    live = Live(recorder, kernels, schedule, plan, sites.site_for, name, owner, checkpoint)
    live.when_stopped(sites.uninstall)
    live.start()
    return live


def _outermost(module: nn.Module, sites: ConstructionSites) -> nn.Module:
    """The model that a module belongs to: an encoder that is called by itself is still part of its autoencoder."""
    seen = {id(module)}
    while True:
        holders = (other for other in sites.modules() if any(child is module for child in other.children()))
        holder = next(holders, None)
        if holder is None or id(holder) in seen:
            return module
        seen.add(id(holder))
        module = holder
