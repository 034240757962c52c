"""The reading side of the graph: look-ups by name over an `onnx_ir.Model`, and structural equality."""

from collections.abc import Sequence
from typing import Any, Final

import onnx_ir

from hypocenter.errors import BadInputError
from hypocenter.ir.encoding import dumps
from hypocenter.ir.layer import Layer, ValueInfo

#: Operator sets of a saved graph. 23 is the newest that the oldest supported onnx release (1.18) knows.
OPSETS: Final = {"": 23, "torch": 1, "keras": 1, "hypocenter": 1}
_IR_VERSION: Final = 11  # the file format version that belongs to opset 23


class GraphView:
    """What can be asked of a graph. `hypocenter.ir.graph.IR` adds what changes it."""

    def __init__(self, name: str = "main") -> None:
        if not name:
            raise BadInputError("a graph needs a name: ONNX does not accept one without", slug="nameless-graph")
        graph = onnx_ir.Graph([], [], nodes=[], opset_imports=dict(OPSETS), name=name)
        self.model = onnx_ir.Model(graph, ir_version=_IR_VERSION, producer_name="hypocenter")
        self.facts: dict[str, Any] = {}
        self._layers: dict[str, Layer] = {}
        self._onnx_nodes: dict[str, onnx_ir.Node] = {}
        self._onnx_values: dict[str, onnx_ir.Value] = {}
        self._infos: dict[str, ValueInfo] = {}
        self._producers: dict[str, str] = {}
        self._order: tuple[Layer, ...] | None = ()
        self._inputs: tuple[ValueInfo, ...] | None = ()

    @property
    def name(self) -> str:
        """Name of the graph."""
        return self.model.graph.name or ""

    @property
    def nodes(self) -> Sequence[Layer]:
        """All nodes in execution order."""
        if self._order is None:
            self._order = tuple(self._layers[node.name or ""] for node in self.model.graph)
        return self._order

    @property
    def inputs(self) -> Sequence[ValueInfo]:
        """What comes from outside, in the order of declaration."""
        if self._inputs is None:
            self._inputs = tuple(self._infos[value.name or ""] for value in self.model.graph.inputs)
        return self._inputs

    @property
    def outputs(self) -> Sequence[str]:
        """Names of the graph's outputs."""
        return tuple(value.name or "" for value in self.model.graph.outputs)

    def node(self, name: str) -> Layer:
        """The node of that name; BadInputError if there is none."""
        if name not in self._layers:
            raise BadInputError(f"the graph has no node {name!r}", slug="unknown-node")
        return self._layers[name]

    def __contains__(self, name: object) -> bool:
        return name in self._layers

    def __len__(self) -> int:
        return len(self._layers)

    def value(self, name: str) -> ValueInfo:
        """The value of that name; BadInputError if there is none."""
        if name not in self._infos:
            raise BadInputError(f"the graph has no value {name!r}", slug="unknown-value")
        return self._infos[name]

    def has_value(self, name: str) -> bool:
        """Whether a node makes, or the graph takes, a value of that name."""
        return name in self._infos

    def producer(self, value: str) -> Layer | None:
        """The node that makes the value; None for an input of the graph and for an unknown name."""
        name = self._producers.get(value)
        return None if name is None else self._layers[name]

    def consumers(self, value: str) -> tuple[Layer, ...]:
        """The nodes that read the value, as data or as a parameter, each once; empty for an unknown name."""
        source = self._onnx_values.get(value)
        return () if source is None else tuple(self._layers[node.name or ""] for node in source.consumers())

    def __repr__(self) -> str:
        return f"<IR {self.name!r}: {len(self)} nodes, {len(self.inputs)} inputs>"

    __hash__ = None  # type: ignore[assignment]  # graphs change, and equal ones need not be the same

    def __eq__(self, other: object) -> bool:
        """Structural: the same inputs, nodes in the same order, outputs and facts."""
        return isinstance(other, GraphView) and self._content() == other._content()

    def _content(self) -> list[object]:
        """Everything that `==` compares; nodes by their text, in which NaN equals itself."""
        nodes = [(x.op_type, x.domain, x.inputs, self._onnx_nodes[x.name].metadata_props) for x in self.nodes]
        values = [tuple(self._infos[value] for value in layer.outputs) for layer in self.nodes]
        names = [layer.name for layer in self.nodes]
        return [self.name, self.inputs, names, nodes, values, self.outputs, dumps(self.facts)]
