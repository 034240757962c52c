"""The loss of the best constant prediction: what a model has that learned nothing but the targets' mean."""

import math
from typing import TYPE_CHECKING, Final

from hypocenter.diagnose.ops import op
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

_CATEGORICAL: Final = frozenset({"crossentropy", "nll"})
_BINARY: Final = frozenset({"bce", "binarycrossentropywithlogits", "bcewithlogits", "bcewithlogitsloss"})
_SQUARED: Final = frozenset({"mse"})


def constant_loss(facts: "Facts", subject: str) -> float | None:
    """The loss of the best constant prediction, or None where the loss or its targets do not tell.

    Cross-entropy over C classes: ln C (classes taken as equally frequent, so an upper bound); binary cross-entropy:
    the entropy of the targets' mean; squared error: the targets' variance. Only for a loss that is the mean over
    the batch and on which backward is called directly: `loss / 4` or a sum of terms gives None.
    """
    node = facts.flow.find(subject)
    if node is None or node.attributes.get("reduction", "mean") != "mean":
        return None
    if op(node) in _CATEGORICAL:
        return _categorical(facts, node)
    mean, variance = _target_moments(facts, node)
    if mean is None or variance is None:
        return None
    if op(node) in _BINARY and 0.0 < mean < 1.0:
        return -mean * math.log(mean) - (1.0 - mean) * math.log(1.0 - mean)
    if op(node) in _SQUARED and variance > 0.0:
        return variance
    return None


def _categorical(facts: "Facts", node: Layer) -> float | None:
    source = next((name for name in node.inputs if name is not None), None)
    shape = None if source is None else facts.run.ir.value(source).shape
    if not shape:
        return None
    classes = shape[1] if len(shape) > 1 else shape[0]
    return math.log(classes) if classes and classes > 1 else None


def _target_moments(facts: "Facts", node: Layer) -> tuple[float | None, float | None]:
    """Mean and variance of all targets that the loss node read."""
    for name in facts.flow.inputs(node):
        rows = facts.targets.get(name)
        if rows is not None and len(rows) and rows["count"].sum() > 0:
            count = float(rows["count"].sum())
            mean = float(rows["sum"].sum()) / count
            return mean, max(float(rows["sumsq"].sum()) / count - mean**2, 0.0)
    return None, None
