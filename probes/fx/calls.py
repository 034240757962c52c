"""What one executed call tells the graph, and what the graph answers."""

from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

import torch

from hypocenter.ir.layer import Shape
from hypocenter.probes.fx.meter import Probe

#: Calls of one place within one forward pass beyond this many share the last node: a loop over 10,000 time steps
#: would otherwise be a graph of 10,000 nodes per operation.
MAX_REPEATS = 64


@dataclass(frozen=True, slots=True)
class Call:
    """A layer or function that has just returned.

    Args:
        op: Class name of the module or name of the function (`Linear`, `relu`, `__add__`).
        scope: Path of the module in whose forward it was called; empty at the root.
        path: Path of the module itself; None for a function.
        module: The module; None for a function.
        repeat: How often this place ran before in the same forward pass.
        inside: Whether it ran inside a model (else: in the user's own code, such as the loss expression).
        inputs: Value names of the tensor inputs; None for tensors that no one named.
        tensors: The tensor inputs themselves.
        parameters: Names of the parameters that it used.
        outputs: The tensors that it returned.
        attributes: Its configuration, JSON-ready.
        frame: The frame that called it.
        indivisible: Why it is one node although it has layers inside, or None.
    """

    op: str
    scope: str
    path: str | None
    module: torch.nn.Module | None
    repeat: int
    inside: bool
    inputs: tuple[str | None, ...]
    tensors: tuple[torch.Tensor, ...]
    parameters: tuple[str, ...]
    outputs: tuple[torch.Tensor, ...]
    attributes: dict[str, Any]
    frame: FrameType | None
    indivisible: str | None = None


@dataclass(slots=True)
class Node:
    """How calls of one place are handled from the second time on: value names and probes, one per output."""

    name: str
    values: tuple[str, ...]
    probes: tuple[Probe | None, ...]
    targets: tuple[tuple[int, str], ...] = ()  # places of targets among the tensor inputs, and their value names
    keep: tuple[Any, ...] = field(default=())  # what the key's ids stand for, kept alive so that they stay unique


class Graph(Protocol):
    """The growing graph of a program, and the plan of its probes."""

    def grow(self, call: Call) -> Node:
        """Add the node of a call that runs for the first time."""

    def new_input(self, name: str, tensor: torch.Tensor, kind: str) -> str:
        """Declare a model input or a target and return its unique name."""

    def new_parameter(self, name: str, tensor: torch.Tensor) -> None:
        """Declare a parameter."""

    def new_output(self, value: str) -> None:
        """Mark a value as an output of a model."""

    def probe_of(self, value: str) -> Probe | None:
        """The probe of a value, or of the value that it is a view of; None where there is none."""

    def widen(self, value: str, shape: Shape | None) -> None:
        """Note that a value was seen with another shape."""

    def describe(self, value: str) -> dict[str, Any]:
        """What made a value, for the `loss` event: `node`, `op` and `site` (None where not known)."""
