"""Which recorded values go into a node, seeing through views and other nodes that have no rows."""

from collections.abc import Iterator
from functools import cached_property

from hypocenter.ir.graph import IR, Layer
from hypocenter.ir.site import Site

#: Kinds whose output has the same elements as their input; they are never probed.
TRANSPARENT = frozenset({"movement"})


def place(node: Layer | None) -> Site | None:
    """The line to show for a node: the user's own call, else its definition, else any call."""
    if node is None:
        return None
    user_definition = node.definition if node.definition is not None and not node.definition.library else None
    if node.module is not None and user_definition is not None:
        return user_definition
    return node.user or user_definition or node.definition or node.call


class Dataflow:
    """Questions about the graph that rules ask. Nodes are in execution order."""

    def __init__(self, ir: IR) -> None:
        self.ir = ir
        self.order = {node.name: position for position, node in enumerate(ir.nodes)}
        self.kinds = {value.name: value.kind for value in ir.inputs}

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Nodes that compute something: all but views, in execution order."""
        return tuple(node for node in self.ir.nodes if node.kind not in TRANSPARENT)

    def find(self, name: str | None) -> Layer | None:
        """The node of a name, or the node that makes the value of that name; None when there is none."""
        if name is None:
            return None
        if name in self.order:
            return self.ir.node(name)
        return self.ir.producer(name)

    def origins(self, value: str | None) -> tuple[str, ...]:
        """The recorded values that a value is a view of: itself, unless a view made it."""
        found: dict[str, None] = {}
        waiting, seen = [value], set()
        while waiting:
            name = waiting.pop()
            if name is None or name in seen:
                continue
            seen.add(name)
            node = self.ir.producer(name)
            if node is not None and node.kind in TRANSPARENT:
                waiting.extend(reversed(node.inputs))
            else:
                found[name] = None
        return tuple(found)

    def inputs(self, node: Layer) -> tuple[str, ...]:
        """The recorded values that go into a node, without repeats."""
        return tuple(dict.fromkeys(name for value in node.inputs for name in self.origins(value)))

    def consumers(self, value: str) -> tuple[Layer, ...]:
        """The nodes that compute with a value or a view of it, in execution order."""
        found = {node.name: node for node in self._consumers(value, set())}
        return tuple(sorted(found.values(), key=lambda node: self.order[node.name]))

    def _consumers(self, value: str, seen: set[str]) -> Iterator[Layer]:
        if value in seen:
            return
        seen.add(value)
        for node in self.ir.consumers(value):
            if node.kind not in TRANSPARENT:
                yield node
                continue
            for output in node.outputs:
                yield from self._consumers(output, seen)

    @cached_property
    def after_model(self) -> frozenset[str]:
        """Names of the nodes that compute the loss: losses by kind, and what follows the model's outputs.

        A module behind the model counts as loss when it has no parameters (a criterion class of the user's own); with
        parameters it is another model, such as a discriminator.
        """
        outputs = set(self.ir.outputs)
        derived, names = set(outputs), set()
        for node in self.ir.nodes:
            follows = derived.intersection(filter(None, node.inputs)) and not self._in_model(node)
            if follows or node.kind == "loss":
                names.add(node.name)
                derived.update(node.outputs)
        return frozenset(names)

    @cached_property
    def _owners(self) -> frozenset[str]:
        """First parts of parameter names: the modules, directly below a root or roots themselves, that learn."""
        return frozenset(value.name.partition(".")[0] for value in self.ir.inputs if value.kind == "parameter")

    def _in_model(self, node: Layer) -> bool:
        path = node.module or node.scope
        return bool(path) and path.partition(".")[0] in self._owners
