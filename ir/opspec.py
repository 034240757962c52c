"""What the op table says of an operation, and how its rows are written down.

Saturation bounds. A unit is *saturated* when the local derivative of its activation is at most `SATURATED_SLOPE`
= 0.01, so that a gradient loses two orders of magnitude in passing it. That one number fixes each bound, because
each derivative can be written in terms of the output y:

* sigmoid: y(1 - y) <= 0.01, so y <= 0.0101 or y >= 0.9899
* tanh: 1 - y^2 <= 0.01, so |y| >= 0.99499
* softmax: p(1 - p) <= 0.01 for the winner, p >= 0.9899; small p are no sign (with 1,000 classes most are small)
* softsign: (1 - |y|)^2 <= 0.01, so |y| >= 0.9
* ELU, CELU (alpha = 1): y + 1 <= 0.01, so y <= -0.99; SELU: y + 1.7581 <= 0.01 (constant of Klambauer et al.,
  "Self-Normalizing Neural Networks", 2017)
* softplus: 1 - exp(-y) <= 0.01, so y <= 0.01005; log-sigmoid and log-softmax: 1 - exp(y) <= 0.01, y >= -0.01005
* ReLU: the derivative is 0 at y = 0; ReLU6, hard tanh, hard sigmoid: at both ends

That saturated sigmoid and tanh units stop learning, and that outputs pile up at the ends when they do, is shown in
Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
GELU, SiLU, Mish and hard swish have no bounds: they are not monotone, so an output does not tell the derivative.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, log, sqrt
from typing import Final

from hypocenter.ir.layer import NodeKind

SATURATED_SLOPE: Final = 0.01  # local derivative, no unit

#: y with y(1 - y) = SATURATED_SLOPE, the larger root.
SIGMOID_HIGH: Final = (1 + sqrt(1 - 4 * SATURATED_SLOPE)) / 2
#: y with 1 - y^2 = SATURATED_SLOPE.
TANH_HIGH: Final = sqrt(1 - SATURATED_SLOPE)
#: y with (1 - y)^2 = SATURATED_SLOPE.
SOFTSIGN_HIGH: Final = 1 - sqrt(SATURATED_SLOPE)
#: y with 1 - exp(y) = SATURATED_SLOPE.
LOG_HIGH: Final = log(1 - SATURATED_SLOPE)
#: lambda * alpha of SELU, the negative of its lower end.
SELU_END: Final = 1.0507009873554805 * 1.6732632423543772

ONNX: Final = ""
TORCH: Final = "torch"


@dataclass(frozen=True, slots=True)
class OpSpec:
    """One operation.

    Args:
        op_type: ONNX's name where `domain` is empty, else the framework's.
        domain: `""` where the meaning is ONNX's, else `torch`.
        kind: What the operation does to its data.
        low: Outputs at or below are saturated; -inf when there is no such bound.
        high: Outputs at or above are saturated; inf when there is no such bound.
        unit_axis: Axis of channels or features in a batch of outputs; None when it is that of the input
            (`hypocenter.ir.units` resolves it).
        minimum: No finite input gives a smaller output.
        maximum: No finite input gives a larger output.
    """

    op_type: str
    domain: str = TORCH
    kind: NodeKind = "other"
    low: float = -inf
    high: float = inf
    unit_axis: int | None = None
    minimum: float = -inf
    maximum: float = inf

    @property
    def saturates(self) -> bool:
        """Whether there is a bound at which the operation passes (almost) no gradient."""
        return self.low > -inf or self.high < inf


#: A row: the specification and, separated by spaces, the framework names that it holds for.
Row = tuple[OpSpec, str]


def rows(kind: NodeKind, domain: str, table: str) -> Iterator[Row]:
    """Rows of operations that differ in their names only: each line is `OpType: name name …`."""
    for line in table.strip().splitlines():
        op_type, names = line.split(":")
        yield OpSpec(op_type.strip(), domain, kind), names.strip()
