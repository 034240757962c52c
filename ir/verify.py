"""What holds for every graph, as a table. Passes are checked against it before and after."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, get_args

import onnx_ir

from hypocenter.errors import BadInputError
from hypocenter.ir.encoding import PREFIX, node_metadata, value_text
from hypocenter.ir.layer import InputKind, NodeKind
from hypocenter.ir.view import OPSETS, GraphView

_NODE_KINDS: Final = frozenset(get_args(NodeKind))
_INPUT_KINDS: Final = frozenset(get_args(InputKind))

Check = Callable[[GraphView], Iterator[str]]


def violations(ir: GraphView) -> list[str]:
    """One sentence for each place where an invariant does not hold; empty for a sound graph."""
    disagreements = [f"agreement: {sentence}" for sentence in _agreement(ir)]
    if disagreements:
        return disagreements  # the other checks would ask the look-ups
    return [f"{name}: {sentence}" for name, check in INVARIANTS.items() for sentence in check(ir)]


def verify(ir: GraphView) -> None:
    """Raises BadInputError with the first violation and the number of further ones."""
    found = violations(ir)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise BadInputError(f"the graph {ir.name!r} is broken: {found[0]}{more}", slug="broken-graph")


def _node_names(ir: GraphView) -> Iterator[str]:
    yield from _repeated([node.name or "" for node in ir.model.graph], "node")


def _value_names(ir: GraphView) -> Iterator[str]:
    graph = ir.model.graph
    names = [value.name or "" for value in graph.inputs]
    yield from _repeated(names + [value.name or "" for node in graph for value in node.outputs], "value")


def _repeated(names: list[str], what: str) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if not name:
            yield f"a {what} has no name"
        elif name in seen:
            yield f"the {what} name {name!r} is given twice"
        seen.add(name)


def _order(ir: GraphView) -> Iterator[str]:
    made = {id(value) for value in ir.model.graph.inputs}
    for node in ir.model.graph:
        for value in node.inputs:
            if value is not None and id(value) not in made:
                yield f"node {node.name!r} reads {value.name!r} before it is made"
        made.update(id(value) for value in node.outputs)


def _outputs(ir: GraphView) -> Iterator[str]:
    graph = ir.model.graph
    made = {id(value) for value in graph.inputs} | {id(value) for node in graph for value in node.outputs}
    for value in graph.outputs:
        if id(value) not in made:
            yield f"output {value.name!r} is made by no node"


def _kinds(ir: GraphView) -> Iterator[str]:
    for layer in ir.nodes:
        if layer.kind not in _NODE_KINDS:
            yield f"node {layer.name!r} has the kind {layer.kind!r}"
    for info in ir.inputs:
        if info.kind not in _INPUT_KINDS:
            yield f"input {info.name!r} has the kind {info.kind!r}"


def _scopes(ir: GraphView) -> Iterator[str]:
    for node in ir.model.graph:
        for key in ("scope", "kind"):
            if PREFIX + key not in node.metadata_props:
                yield f"node {node.name!r} has no {key}"


def _domains(ir: GraphView) -> Iterator[str]:
    for node in ir.model.graph:
        if node.domain not in OPSETS:
            yield f"node {node.name!r} is of the unknown domain {node.domain!r}"


def _parameters(ir: GraphView) -> Iterator[str]:
    inputs = {info.name for info in ir.inputs}
    for layer in ir.nodes:
        for name in layer.parameters:
            if name not in inputs:
                yield f"parameter {name!r} of node {layer.name!r} is not an input of the graph"


def _first_output(ir: GraphView) -> Iterator[str]:
    for layer in ir.nodes:
        if layer.outputs and layer.outputs[0] != layer.name:
            yield f"the first value of node {layer.name!r} is {layer.outputs[0]!r}"


def _probes(ir: GraphView) -> Iterator[str]:
    for layer in ir.nodes:
        if (layer.kind == "probe") != (layer.domain == "hypocenter"):
            yield f"node {layer.name!r} is a probe by its kind or by its domain, but not by both"
        elif layer.kind == "probe":
            if len(layer.inputs) != 1 or layer.inputs[0] is None or len(layer.outputs) != 1 or layer.parameters:
                yield f"probe {layer.name!r} has not exactly one input and one output"
            elif _type(ir, layer.inputs[0]) != _type(ir, layer.outputs[0]):
                yield f"probe {layer.name!r} changes the shape or dtype of {layer.inputs[0]!r}"


def _type(ir: GraphView, name: str) -> tuple[object, object]:
    info = ir.value(name)
    return info.shape, info.dtype


def _agreement(ir: GraphView) -> Iterator[str]:
    """The indexes say what the ONNX graph says."""
    graph = ir.model.graph
    if len(graph) != len(ir) or not all(node.name in ir for node in graph):
        yield "the look-ups by name do not hold the nodes of the ONNX graph"
        return
    for node, layer in zip(graph, ir.nodes, strict=True):
        if (node.op_type, node.domain, node.metadata_props) != (layer.op_type, layer.domain, node_metadata(layer)):
            yield f"node {node.name!r} differs from its record"
        if _names(node.inputs) != (*layer.inputs, *layer.parameters) or _names(node.outputs) != layer.outputs:
            yield f"node {node.name!r} reads or makes other values than its record says"
    for value in (*graph.inputs, *(value for node in graph for value in node.outputs)):
        info = ir.value(value.name or "")
        if value.metadata_props.get(PREFIX + "value") != value_text(info.shape, info.dtype, info.kind):
            yield f"value {value.name!r} differs from its record"


def _names(values: Sequence[onnx_ir.Value | None]) -> tuple[str | None, ...]:
    return tuple(None if value is None else value.name for value in values)


#: Name of each invariant and what finds its violations.
INVARIANTS: Final[dict[str, Check]] = {
    "agreement": _agreement,
    "node names are unique": _node_names,
    "value names are unique": _value_names,
    "values are made before they are read": _order,
    "outputs are made": _outputs,
    "kinds are known": _kinds,
    "nodes have a scope and a kind": _scopes,
    "domains are known": _domains,
    "parameters are inputs": _parameters,
    "a node is named as its first value": _first_output,
    "probes read one value and pass it on": _probes,
}
