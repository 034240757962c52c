"""The one way in which passes change a graph: each edit is recorded with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hypocenter.ir.graph import IR
from hypocenter.ir.layer import Layer, ValueInfo


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a graph.

    Args:
        action: What was done.
        node: The node that was inserted, removed, or reads another value now.
        value: The value it was inserted behind, passed on, or reads now.
        reason: Why, in a few words.
    """

    action: Literal["insert", "rewire", "remove"]
    node: str
    value: str
    reason: str


class Rewriter:
    """Edits a graph in place and remembers the edits in order.

    Args:
        ir: The graph to change.
    """

    def __init__(self, ir: IR) -> None:
        self.ir = ir
        self.edits: list[Edit] = []

    def insert_after(self, value: str, layer: Layer, outputs: Sequence[ValueInfo], *, reason: str) -> None:
        """Puts the node directly behind the producer of the value, or first when the value is an input."""
        self.ir.add_layer(layer, outputs, after=value)
        self.edits.append(Edit("insert", layer.name, value, reason))

    def rewire(self, node: str, old: str, new: str, *, reason: str) -> None:
        """Lets the node read `new` wherever it read `old`."""
        self.ir.replace_input(node, old, new)
        self.edits.append(Edit("rewire", node, new, reason))

    def remove(self, node: str, *, reason: str) -> None:
        """Removes a node whose values nobody reads; BadInputError if one is read."""
        source = next((name for name in self.ir.node(node).inputs if name is not None), "")
        self.ir.remove_node(node)
        self.edits.append(Edit("remove", node, source, reason))
