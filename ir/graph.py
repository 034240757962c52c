"""The graph of a program, grown while the program runs.

`IR` wraps an `onnx_ir.Model`. The ONNX graph is what is saved and what passes rewrite; beside it stand indexes
by name, so that adding a node costs some tens of microseconds and each look-up one dictionary access. What ONNX
has no field for (scope, kind, sites, parameters, attributes in the framework's own words) is text in
`metadata_props` under `hypocenter.` keys. Parameters are inputs of the graph without data; a node takes those
that it uses as its last inputs.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import onnx_ir

from hypocenter.errors import BadInputError
from hypocenter.ir.encoding import PREFIX, dumps, node_metadata, onnx_dtype, value_text
from hypocenter.ir.layer import InputKind, Layer, Shape, ValueInfo
from hypocenter.ir.site import Site
from hypocenter.ir.view import GraphView

__all__ = ["IR", "Layer", "Shape", "ValueInfo"]


class IR(GraphView):
    """A growing graph of values and nodes.

    Args:
        name: Name of the graph.

    Attributes:
        model: The `onnx_ir.Model`. Change it only through this class, else the indexes are wrong (`verify` tells).
        facts: JSON-ready facts about the program; saved with the graph.
    """

    def add_input(self, name: str, *, shape: Shape | None, dtype: str | None, kind: InputKind) -> None:
        """Declares a value that comes from outside: data, a target, a parameter, a buffer, a constant.

        Raises:
            BadInputError: If a value of this name exists.
        """
        info = ValueInfo(name, None if shape is None else tuple(shape), dtype, kind)
        self._check_new_value(name)
        value = onnx_ir.Value(name=name)
        self._describe(value, info)
        self.model.graph.inputs.append(value)
        self._onnx_values[name] = value
        self._inputs = None

    def add_node(
        self,
        name: str,
        op_type: str,
        *,
        domain: str = "",
        scope: str,
        kind: str,
        inputs: Sequence[str | None],
        outputs: Sequence[ValueInfo],
        definition: Site | None,
        call: Site | None,
        user: Site | None,
        attributes: Mapping[str, Any] = {},
        parameters: Sequence[str] = (),
        module: str | None = None,
        after: str | None = None,
    ) -> None:
        """Adds a node behind all others, or directly behind the producer of the value `after`.

        Args are the fields of `Layer`; `outputs` are new values, `inputs` and `parameters` name existing ones.

        Raises:
            BadInputError: If the node's or an output's name is taken, or an input, parameter or `after` is unknown.
        """
        # Through text and back, so that a layer reads the same before and after it was saved.
        plain = json.loads(dumps(attributes)) if attributes else {}
        layer = Layer(
            name, op_type, domain, scope, kind, tuple(inputs), tuple(info.name for info in outputs),
            definition, call, user, plain, tuple(parameters), module,
        )  # fmt: skip
        self.add_layer(layer, outputs, after=after)

    def add_layer(self, layer: Layer, outputs: Sequence[ValueInfo], *, after: str | None = None) -> None:
        """Adds a node from its record; otherwise as `add_node`."""
        name = layer.name
        if not name or name in self._layers:
            raise BadInputError(f"node name {name!r} is empty or taken", slug="duplicate-name")
        for index, value_name in enumerate(layer.outputs):
            self._check_new_value(value_name, layer.outputs[:index])
        sources = [None if value is None else self._onnx_value(value, name) for value in layer.inputs]
        sources += [self._onnx_value(value, name) for value in layer.parameters]
        anchor = None if after is None else self._onnx_value(after, name)
        node = onnx_ir.Node(
            layer.domain, layer.op_type, sources,
            num_outputs=len(outputs), name=name, metadata_props=node_metadata(layer),
        )  # fmt: skip
        for value, info in zip(node.outputs, outputs, strict=True):
            value.name = info.name
            self._describe(value, info)
            self._onnx_values[info.name] = value
            self._producers[info.name] = name
        self._place(node, anchor)
        self._onnx_nodes[name] = node
        self._layers[name] = layer
        self._order = None

    def mark_output(self, value_name: str) -> None:
        """Makes the value an output of the graph; again has no effect."""
        value = self._onnx_value(value_name, "the graph's outputs")
        if not any(output is value for output in self.model.graph.outputs):
            self.model.graph.outputs.append(value)

    def widen(self, value_name: str, shape: Shape | None) -> ValueInfo:
        """Notes that the value was seen with another shape: differing dimensions become None.

        Another rank makes the whole shape unknown. Returns the value as it now is.
        """
        info = self.value(value_name)
        if info.shape is None or info.shape == shape:
            return info
        widened: Shape | None = None
        if shape is not None and len(shape) == len(info.shape):
            widened = tuple(a if a == b else None for a, b in zip(info.shape, shape, strict=True))
        if widened == info.shape:
            return info
        info = replace(info, shape=widened)
        self._describe(self._onnx_values[value_name], info)
        self._inputs = None
        return info

    def unique_name(self, base: str) -> str:
        """`base`, or `base_1`, `base_2`, … where a node or value of that name exists."""
        name, number = base, 0
        while name in self._layers or name in self._infos:
            number += 1
            name = f"{base}_{number}"
        return name

    def replace_input(self, name: str, old: str, new: str) -> None:
        """Lets the node read the value `new` wherever it read `old` as data. Its parameters stay."""
        layer, node = self.node(name), self._onnx_nodes[name]
        value = self._onnx_value(new, name)
        for index, source in enumerate(layer.inputs):
            if source == old:
                node.replace_input_with(index, value)
        sources = tuple(new if source == old else source for source in layer.inputs)
        self._layers[name] = replace(layer, inputs=sources)
        self._order = None

    def remove_node(self, name: str) -> None:
        """Removes a node whose values nobody reads.

        Raises:
            BadInputError: If another node or the graph's outputs use a value of the node.
        """
        layer, node = self.node(name), self._onnx_nodes[name]
        used = [value for value in layer.outputs if self.consumers(value) or value in self.outputs]
        if used:
            raise BadInputError(f"node {name!r} cannot go: its value {used[0]!r} is in use", slug="value-in-use")
        self.model.graph.remove(node, safe=True)
        for value in layer.outputs:
            del self._onnx_values[value], self._infos[value], self._producers[value]
        del self._layers[name], self._onnx_nodes[name]
        self._order = None

    def copy(self) -> Self:
        """An independent, equal graph."""
        twin = type(self)(self.name)
        twin.facts = copy.deepcopy(self.facts)
        for info in self.inputs:
            twin.add_input(info.name, shape=info.shape, dtype=info.dtype, kind=cast("InputKind", info.kind))
        for layer in self.nodes:
            twin.add_layer(layer, [self._infos[value] for value in layer.outputs])
        for value in self.outputs:
            twin.mark_output(value)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def save(self, path: str | Path) -> None:
        """Writes a `.onnx` file that onnx's checker accepts and Netron opens.

        Raises:
            StorageError: If the file cannot be written; a file of that name stays as it was.
        """
        from hypocenter.ir.storage import save

        save(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what `save` wrote; the result equals what was saved.

        Raises:
            BadInputError: If the file is missing, damaged, or was not written by hypocenter.
        """
        from hypocenter.ir.storage import load

        return load(cls, Path(path))

    def to_text(self) -> str:
        """One line per node; see `hypocenter.ir.text`."""
        from hypocenter.ir.text import to_text

        return to_text(self)

    def verify(self) -> None:
        """Checks every invariant of `hypocenter.ir.verify`.

        Raises:
            BadInputError: If one does not hold.
        """
        from hypocenter.ir.verify import verify

        verify(self)

    __str__ = to_text

    def _check_new_value(self, name: str, siblings: Sequence[str] = ()) -> None:
        if not name or name in self._infos or name in siblings:
            raise BadInputError(f"value name {name!r} is empty or taken", slug="duplicate-name")

    def _onnx_value(self, name: str, reader: str) -> onnx_ir.Value:
        value = self._onnx_values.get(name)
        if value is None:
            raise BadInputError(
                f"{reader!r} reads {name!r}, which is neither an input nor made by a node: declare it first",
                slug="unknown-value",
            )
        return value

    def _describe(self, value: onnx_ir.Value, info: ValueInfo) -> None:
        self._infos[info.name] = info
        value.type = onnx_ir.TensorType(onnx_dtype(info.dtype))
        value.shape = None if info.shape is None else onnx_ir.Shape(info.shape)
        value.metadata_props[PREFIX + "value"] = value_text(info.shape, info.dtype, info.kind)

    def _place(self, node: onnx_ir.Node, anchor: onnx_ir.Value | None) -> None:
        graph = self.model.graph
        producer = None if anchor is None else anchor.producer()
        if producer is not None:
            graph.insert_after(producer, node)
        elif anchor is not None and len(graph) > 0:
            graph.insert_before(graph[0], node)
        else:
            graph.append(node)
