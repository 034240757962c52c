"""Why a layer gets no gradient, or its weights no update."""

from typing import TYPE_CHECKING, Final

from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.finding import Fix
from hypocenter.diagnose.gradient_flow import CUTTING, STEPLIKE, GradientFlow
from hypocenter.diagnose.ops import op
from hypocenter.diagnose.suspects import Suspect
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Kinds of layers that have weights of their own.
_WEIGHTED: Final = frozenset({"layer", "recurrent"})


def stopped(facts: "Facts", stop: Layer, behind: Layer) -> Suspect:
    """What keeps the gradient back from a layer: an operation, or that the layer ran without gradients."""
    lone = lone_softmax(facts, stop)
    if lone is not None:
        return lone
    if op(stop) not in CUTTING | STEPLIKE and _only_without_gradient(facts, behind):
        return _no_grad(behind)
    steplike = op(stop) in STEPLIKE
    text = f"{stop.name!r} passes none on to {behind.name!r}"
    if steplike:
        text += ": its derivative is zero"
    return Suspect(
        "architecture" if steplike else "training_loop",
        text,
        stop.user or place(stop),
        Fix(
            "Compute the loss from the value before rounding; round only to report."
            if steplike
            else f"Remove {op(stop)}() from the path between this layer and the loss."
        ),
        layer=stop.module or stop.name,
        confidence=0.93,
        op=stop.op_type,
    )


def _only_without_gradient(facts: "Facts", layer: Layer) -> bool:
    return layer.name in facts.inference and layer.name not in facts.forward


def _no_grad(layer: Layer) -> Suspect:
    return Suspect(
        "training_loop",
        f"{layer.name!r} ran without gradients in every step, as under torch.no_grad()",
        layer.user or place(layer),
        Fix("Call the layer outside of torch.no_grad() and torch.inference_mode() while training."),
        layer=layer.module or layer.name,
        confidence=0.93,
        op=layer.op_type,
    )


def lone_softmax(facts: "Facts", node: Layer) -> Suspect | None:
    """A softmax over a dimension of one element: it is 1 whatever goes in, and its derivative 0."""
    shape = facts.run.ir.value(node.outputs[0]).shape
    if op(node) not in ("softmax", "logsoftmax") or not shape:
        return None
    positional = [value for value in node.attributes.get("args") or () if isinstance(value, int)]
    dim = node.attributes.get("dim", positional[0] if positional else None)
    if not isinstance(dim, int) or not -len(shape) <= dim < len(shape) or shape[dim] != 1:
        return None
    result = "1" if op(node) == "softmax" else "0"
    return Suspect(
        "activation",
        f"{node.name!r} is a softmax over a dimension of one element, which gives {result} for every input",
        place(node),
        Fix("Use a sigmoid for a single output, or two outputs; or correct the softmax's dim."),
        layer=node.module or node.name,
        confidence=0.97,
        evidence={"shape": list(shape), "dim": dim},
        op=node.op_type,
    )


def unregistered(facts: "Facts", flow: GradientFlow) -> Suspect | None:
    """A layer that the model calls and does not have, so that model.parameters() leaves its weights out.

    Told by a layer without known parameters at whose output a gradient arrives although none of its inputs wants
    one: then it is its own weights that do. Layers behind the last trained one are left out: a loss may compare
    features of a network that nobody wants to train.
    """
    trained = [flow.position(name) for name in flow.trainable if name in flow.held]
    if not trained or flow.unknown or any(name not in facts.parameter_layer for name in flow.held):
        return None  # an optimizer may hold the layer's weights
    for node in facts.layers:
        if node.module is None or node.parameters or node.kind not in _WEIGHTED or node.name in facts.flow.after_model:
            continue
        wants = any(name in flow.reached for name in node.outputs)
        passes = any(name in flow.reached for name in facts.flow.inputs(node))
        if wants and not passes and facts.flow.order[node.name] < max(trained):
            return Suspect(
                "training_loop",
                f"{node.name!r} is called but not registered in the model, so model.parameters() leaves it out",
                place(node),
                Fix("Keep layers as attributes of the module, or in nn.ModuleList or nn.ModuleDict, not in a list."),
                layer=node.module,
                confidence=0.9,
                evidence={"unregistered": node.name},
                op=node.op_type,
            )
    return None
