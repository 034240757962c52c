"""The two records of the graph: a value (a tensor that flows) and a layer (a node that makes values)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hypocenter.ir.site import Site

#: Dimensions in elements; None stands for a dimension that varies between steps.
Shape: TypeAlias = tuple[int | None, ...]

InputKind: TypeAlias = Literal["input", "parameter", "buffer", "constant", "target"]

#: What a node does to its data; the op table says it for each operation.
NodeKind: TypeAlias = Literal[
    "layer", "activation", "normalization", "pooling", "regularization", "elementwise", "reduction",
    "matmul", "attention", "recurrent", "embedding", "movement", "loss", "probe", "other",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValueInfo:
    """A value of the graph.

    Args:
        name: Unique in the graph.
        shape: Dimensions in elements, None for one that varies; None as a whole when the rank is not known
            or the value is no tensor.
        dtype: The framework's short name (`float32`, `bfloat16`, `int64`); None when the value is no tensor.
        kind: `input`, `parameter`, `buffer`, `constant` or `target` for an input of the graph; `activation` or
            `probe` for what a node makes.
    """

    name: str
    shape: Shape | None
    dtype: str | None
    kind: str = "activation"

    @property
    def is_tensor(self) -> bool:
        """False for what a layer returns besides tensors, such as None."""
        return self.dtype is not None

    @property
    def is_floating(self) -> bool:
        """True for real floating-point numbers, the only values with statistics."""
        return self.dtype is not None and self.dtype.startswith(("float", "bfloat"))


@dataclass(frozen=True, slots=True)
class Layer:
    """A node, read only.

    Args:
        name: Unique in the graph; a second call of the module `fc1` is `fc1#2`.
        op_type: Operation, in ONNX's vocabulary where `domain` is empty.
        domain: `""` (ONNX), `torch`, or `hypocenter` for a probe.
        scope: Module path such as `encoder.layers.0`; empty for the root.
        kind: What the node does to its data.
        inputs: Value names; None where an optional input is absent.
        outputs: Value names; the first is the node's own name.
        definition: Where the module was constructed; None for a functional operation.
        call: The nearest frame outside the framework and hypocenter; may be library code.
        user: The nearest frame of the user's own code.
        attributes: Scalars and settings of the operation, JSON-ready.
        parameters: Names of the parameters that the node uses, which are graph inputs.
        module: Path of the module that the node calls; None for a functional operation.
    """

    name: str
    op_type: str
    domain: str
    scope: str
    kind: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    definition: Site | None = None
    call: Site | None = None
    user: Site | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    module: str | None = None
