"""Why a layer has a probe or has none, in sentences."""

from dataclasses import dataclass

from hypocenter.ir.graph import IR
from hypocenter.ir.layer import Layer
from hypocenter.rewrite.plan import Plan


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many layers and operations have a probe, and why the others have none.

    Movements (views, copies, reshapes) are not counted: their values are those of another node.
    """

    layers: int
    probed: int
    unprobed: tuple[tuple[str, str], ...]  # name of the node and reason

    def to_dict(self) -> dict[str, object]:
        """The data of a `coverage` event."""
        unprobed = [{"layer": layer, "reason": reason} for layer, reason in self.unprobed]
        return {"layers": self.layers, "probed": self.probed, "unprobed": unprobed}


def coverage(ir: IR, plan: Plan) -> Coverage:
    """Counts the plan's decisions by node; a node is probed when one of its values is."""
    planned, reasons = set(plan.values), _reasons(plan)
    layers = [layer for layer in ir.nodes if layer.kind not in {"movement", "probe"}]
    unprobed = [(layer.name, _reason(layer.outputs, reasons)) for layer in layers if planned.isdisjoint(layer.outputs)]
    return Coverage(len(layers), len(layers) - len(unprobed), tuple(unprobed))


def explain(ir: IR, plan: Plan, name: str) -> str:
    """One sentence about a node, or about an input of the graph.

    Raises:
        BadInputError: If the graph has neither a node nor a value of that name.
    """
    values = ir.node(name).outputs if name in ir else (ir.value(name).name,)
    reasons, planned = _reasons(plan), [value for value in values if value in plan.values]
    if planned:
        return f"{name!r} has a probe on {', '.join(map(repr, planned))}: {reasons[planned[0]]}"
    layer = ir.node(name) if name in ir else ir.producer(name)
    if layer is None:
        return f"{name!r} has no probe: {reasons.get(name, 'parameters and constants are watched where they change')}"
    sentence = f"{name!r} has no probe: {_reason(values, reasons)}"
    origin = _origin(ir, layer)
    return sentence if origin is None else f"{sentence}, which come from {origin!r}"


def _reasons(plan: Plan) -> dict[str, str]:
    return {decision.value: decision.reason for decision in plan}


def _reason(values: tuple[str, ...], reasons: dict[str, str]) -> str:
    known = [reasons[value] for value in values if value in reasons]
    return ", ".join(dict.fromkeys(known)) or "the plan does not know what it returns"


def _origin(ir: IR, layer: Layer | None) -> str | None:
    """The first value up the movements that is not itself moved from another; None for what is no movement."""
    value = None
    while layer is not None and layer.kind == "movement" and layer.inputs and layer.inputs[0] is not None:
        value = layer.inputs[0]
        layer = ir.producer(value)
    return value
