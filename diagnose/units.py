"""Layers whose units are dead or saturated, from when on, and what fed them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hypocenter.diagnose.norms import fan_in
from hypocenter.diagnose.ops import op
from hypocenter.diagnose.tensors import Floats, Series
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Activations that are exactly zero, with gradient zero, over half of their domain.
RECTIFIERS: Final = frozenset({"relu", "relu6", "threshold"})
#: Activations that are flat at both ends.
SIGMOIDS: Final = frozenset({"sigmoid", "tanh", "softsign", "hardtanh", "hardsigmoid"})
#: Activations that are flat where one unit of a group takes all.
SOFTMAXES: Final = frozenset({"softmax"})
#: Gain of a layer's weights (see `Feed`) below which these are too small. 0.3: half of PyTorch's default of 0.58.
WEAK_GAIN: Final = 0.3


@dataclass(frozen=True)
class State:
    """The share of dead or saturated units of one activation over training.

    Args:
        node: The activation.
        step: int64 (n,), training steps.
        share: float64 (n,), 0 to 1.
    """

    node: Layer
    step: Floats
    share: Floats

    @property
    def late(self) -> float:
        """Median over the last quarter of the recorded steps."""
        return float(np.median(self.share[-max(1, len(self.share) // 4) :]))

    def since(self, share: float) -> int | None:
        """The first step from which on nine steps of ten have at least `share`; None if there is none."""
        above = self.share >= share
        lasting = np.cumsum(above[::-1])[::-1] / np.arange(len(above), 0, -1)
        found = np.flatnonzero(above & (lasting >= 0.9))
        return int(self.step[found[0]]) if len(found) else None


def dead(facts: "Facts") -> list[State]:
    """Share of rectifier units that are zero for a whole batch, in execution order; batches of one are left out."""
    found = []
    for node, every in _activations(facts, RECTIFIERS):
        rows = every.take((every["units"] > 0) & (every["count"] > every["units"]))
        if len(rows):
            found.append(State(node, rows.step.astype(np.float64), rows["dead_units"] / rows["units"]))
    return found


def saturated(facts: "Facts") -> list[State]:
    """Share of values of sigmoid-like and softmax activations at or beyond a bound, in execution order."""
    found = []
    for node, every in _activations(facts, SIGMOIDS | SOFTMAXES):
        rows = every.take(every["count"] > 0)
        if len(rows):
            share = (rows["low"] + rows["high"]) / rows["count"]
            found.append(State(node, rows.step.astype(np.float64), share))
    return found


def _activations(facts: "Facts", kinds: frozenset[str]) -> list[tuple[Layer, Series]]:
    found = []
    for node in facts.layers:
        rows = facts.forward.get(node.name)
        if op(node) in kinds and rows is not None and len(rows):
            found.append((node, rows.last_of_steps()))
    return found


def weighted(facts: "Facts", node: Layer) -> Layer | None:
    """The nearest layer with parameters upstream of a node (normalisation included); None when there is none."""
    waiting, seen = list(facts.flow.inputs(node)), set()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        producer = facts.flow.find(name)
        if producer is None:
            continue
        if producer.parameters:
            return producer
        waiting.extend(facts.flow.inputs(producer))
    return None


@dataclass(frozen=True)
class Feed:
    """What a layer with weights got and has at its first recorded step.

    Args:
        layer: The layer.
        weight: Name of its largest parameter of two dimensions or more, or None.
        bias: Name of its first parameter of one dimension, or None.
        input_rms: Root mean square of its input; NaN if not recorded.
        from_data: Whether that input is an input of the model.
        gain: rms(weight) * sqrt(fan-in): output over input size for independent inputs. About 0.58 by PyTorch's
            default, 1 by Glorot and Bengio (2010), 1.41 by He et al. (2015); NaN if not recorded.
        bias_mean: Mean of the bias; 0 without one.
        bias_rms: Root mean square of the bias; 0 without one.
        output_std: Standard deviation of its output; NaN if not recorded.
    """

    layer: Layer
    weight: str | None
    bias: str | None
    input_rms: float
    from_data: bool
    gain: float
    bias_mean: float
    bias_rms: float
    output_std: float


def feed(facts: "Facts", layer: Layer) -> Feed:
    """Looks at a layer at its first step."""
    shapes = {info.name: info.shape or () for info in facts.run.ir.inputs}
    names = [name for name in layer.parameters if name in facts.weights and len(facts.weights[name])]
    weight = next((name for name in names if len(shapes.get(name, ())) >= 2), None)
    bias = next((name for name in names if len(shapes.get(name, ())) == 1 and "weight" not in name), None)
    sources = [name for name in facts.flow.inputs(layer) if name in facts.forward or name in facts.inputs]
    source = sources[0] if sources else None
    size = np.nan
    if source is not None:
        rows = facts.inputs.get(source, facts.forward.get(source))
        size = float(rows.rms[0]) if rows is not None and len(rows) else np.nan
    outputs = facts.forward.get(layer.name)
    gain = np.nan
    if weight is not None:
        gain = float(facts.weights[weight].rms[0]) * float(np.sqrt(fan_in(facts, weight)))
    return Feed(
        layer,
        weight,
        bias,
        size,
        source in facts.inputs,
        gain,
        float(facts.weights[bias].mean[0]) if bias else 0.0,
        float(facts.weights[bias].rms[0]) if bias else 0.0,
        float(outputs.std[0]) if outputs is not None and len(outputs) else np.nan,
    )
