"""Which setting made values blow up: the evidence of each suspect on one scale.

Each suspect has an *excess*: how many orders of magnitude its figure lies above what is usual. The largest positive
excess is accused.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.finding import Fault, Fix
from hypocenter.diagnose.ops import op
from hypocenter.diagnose.stats import number
from hypocenter.diagnose.suspects import written_at
from hypocenter.ir.graph import Layer
from hypocenter.ir.site import Site

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Root mean square of a model input that still counts as normalised. Standardised data has 1; the 0 to 16 of small
#: digit images has about 7, bytes have about 100. Convention.
USUAL_INPUT: Final = 10.0
#: The same for regression targets, which people often leave in their units: mild, because only the last layer has to
#: follow. Convention.
USUAL_TARGET: Final = 100.0
#: std(w) * sqrt(fan_in) of initial weights: He et al. 2015 use sqrt(2) = 1.41, Glorot & Bengio 2010 about 1,
#: PyTorch's default 0.58, orthogonal 1. Twice the largest of these is still usual.
USUAL_GAIN: Final = 2.83
#: Samples of a batch whose losses may be summed without changing the scale of the gradient much.
USUAL_SUM: Final = 10.0
#: Growth of an input's largest value, over that of the batches before, that makes a batch an outlier.
USUAL_JUMP: Final = 10.0
#: Two suspects whose excesses differ by less than this many orders of magnitude cannot be told apart well.
CLEAR: Final = 0.5


@dataclass(frozen=True)
class Cause:
    """One suspect.

    Args:
        fault: What the programmer did.
        excess: Orders of magnitude above the usual.
        text: A clause with the numbers.
        fix: What to do.
        site: The line to act on.
        layer: The layer it concerns, if one.
        evidence: JSON-ready numbers.
    """

    fault: Fault
    excess: float
    text: str
    fix: Fix
    site: Site | None = None
    layer: Layer | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


def suspects(facts: "Facts") -> list[Cause]:
    """Every suspect with a positive excess, the worst first."""
    found = [cause for find in (_rates, _inputs, _jumps, _targets, _weights, _sums) for cause in find(facts)]
    return sorted((cause for cause in found if cause.excess > 0), key=lambda cause: -cause.excess)


def confidence(causes: list[Cause]) -> float:
    """How sure the first suspect is: 0.9 when it stands alone or clearly ahead of those of another fault."""
    if not causes:
        return 0.5
    rivals = [cause.excess for cause in causes if cause.fault != causes[0].fault]
    return 0.9 if not rivals or causes[0].excess - rivals[0] >= CLEAR else 0.7


def _log(value: float, usual: float) -> float:
    return math.log10(value / usual) if value > 0 and math.isfinite(value) else (-math.inf if value <= 0 else 308.0)


def _rates(facts: "Facts") -> Iterator[Cause]:
    for optimizer in facts.optimizers:
        seen = [
            rows["sum"].max() for name, rows in facts.rates.items() if name.startswith(f"optimizer{optimizer.index}.")
        ]
        rate = max([float(value) for value in seen], default=optimizer.lr or 0.0)
        usual = optimizer.usual
        yield Cause(
            "learning_rate",
            _log(rate, optimizer.usual_maximum),
            f"the learning rate {number(rate)} of {optimizer.name} is far above the usual {number(usual)}",
            Fix(f"Lower the learning rate to about {number(usual)}."),
            optimizer.where("lr"),
            evidence={"lr": rate, "usual_lr": usual, "optimizer": optimizer.name},
        )


def _inputs(facts: "Facts") -> Iterator[Cause]:
    for name, rows in facts.inputs.items():
        if not len(rows):
            continue
        first = rows.take(slice(0, 1))
        rms, low, high = float(first.rms[0]), float(first["min"][0]), float(first["max"][0])
        readers = facts.flow.consumers(name)
        event = facts.data.get(name, {})
        site = Site.from_dict(event["site"]) if event.get("site") else place(readers[0] if readers else None)
        yield Cause(
            "normalization",
            _log(rms, USUAL_INPUT),
            f"the inputs {name!r} are not normalised: they lie between {number(low)} and {number(high)}",
            Fix("Normalise the inputs to mean 0 and standard deviation 1 (per feature) before training."),
            site,
            readers[0] if readers else None,
            {"input": name, "input_rms": rms, "input_min": low, "input_max": high},
        )


def _jumps(facts: "Facts") -> Iterator[Cause]:
    """A batch whose inputs are far larger than those of the steps before it."""
    origin = facts.origin
    if origin is None:
        return
    for name, rows in facts.inputs.items():
        before, now = rows.until(origin.step), rows.at(origin.step)
        usual = float(before["absmax"].max()) if len(before) else 0.0
        if not len(now) or usual == 0:
            continue
        largest = float(now["absmax"].max())
        readers = facts.flow.consumers(name)
        event = facts.data.get(name, {})
        yield Cause(
            "data",
            _log(largest / usual, USUAL_JUMP),
            f"the inputs {name!r} of step {origin.step} reach {number(largest)}; before, {number(usual)} was the most",
            Fix(f"Look at the batch of step {origin.step}: remove outliers, or clip and normalise the inputs."),
            Site.from_dict(event["site"]) if event.get("site") else place(readers[0] if readers else None),
            readers[0] if readers else None,
            {"input": name, "largest": largest, "largest_before": usual},
        )


def _targets(facts: "Facts") -> Iterator[Cause]:
    for name, rows in facts.targets.items():
        if not len(rows):
            continue
        first = rows.take(slice(0, 1))
        readers = facts.flow.consumers(name)
        yield Cause(
            "normalization",
            _log(float(first.rms[0]), USUAL_TARGET),
            f"the targets {name!r} are not normalised: they lie between {number(float(first['min'][0]))} and "
            f"{number(float(first['max'][0]))}",
            Fix("Normalise the targets to mean 0 and standard deviation 1, and undo it in predictions."),
            place(readers[0] if readers else None),
            evidence={"target": name, "target_rms": float(first.rms[0])},
        )


def gain(facts: "Facts", name: str) -> float | None:
    """std(w) * sqrt(fan_in) of a weight matrix or kernel before training; None for biases, embeddings and the like."""
    rows, node = facts.weights.get(name), facts.parameter_layer.get(name)
    if rows is None or node is None or not len(rows) or node.kind not in ("layer", "recurrent", "matmul", "attention"):
        return None
    shape = facts.run.ir.value(name).shape
    if shape is None or len(shape) < 2 or None in shape or int(rows.step[0]) > 0:
        return None
    fan_in = float(np.prod([size or 1 for size in shape[1:]]))
    return float(rows.rms[0]) * math.sqrt(fan_in)


def _weights(facts: "Facts") -> Iterator[Cause]:
    for name in facts.weights:
        found, node = gain(facts, name), facts.parameter_layer.get(name)
        if found is None or node is None:
            continue
        std = float(facts.weights[name].rms[0])
        usual = std / found * math.sqrt(2)
        yield Cause(
            "initialization",
            _log(found, USUAL_GAIN),
            f"the initial weights {name!r} have the scale {number(std)}, where {number(usual)} is usual "
            "(sqrt(2 / fan_in), He et al. 2015)",
            Fix(f"Initialise {name!r} with nn.init.kaiming_normal_ or leave PyTorch's default."),
            written_at(facts, name) or place(node),
            node,
            {"parameter": name, "initial_scale": std, "usual_scale": usual},
        )


def _sums(facts: "Facts") -> Iterator[Cause]:
    for event in facts.events("loss"):
        node = facts.flow.find(event.get("value"))
        while node is not None and op(node) in ("mul", "div", "add") and node.inputs:  # a scaled or weighted loss
            node = facts.flow.find(next((name for name in node.inputs if name is not None), None))
        if node is None or (node.attributes.get("reduction") != "sum" and op(node) != "sum"):
            continue
        samples = _samples(facts, node)
        yield Cause(
            "loss",
            _log(samples, USUAL_SUM),
            f"the loss is summed over {samples:.0f} samples, which multiplies every gradient by that number",
            Fix("Take the mean of the loss over the batch (reduction='mean')."),
            facts.loss_sites.get(str(event.get("value"))) or place(node),
            node,
            {"samples": samples},
        )


def _samples(facts: "Facts", node: Layer) -> float:
    """Over how many samples a loss was taken in the first step; the leading dimension may vary from batch to batch."""
    name = next(iter(facts.flow.inputs(node)), None)
    rows = None if name is None else facts.forward.get(name)
    if name is None or rows is None or not len(rows):
        return 1.0
    shape = facts.run.ir.value(name).shape or ()
    features = float(np.prod([size or 1 for size in shape[1:]])) if shape else 1.0
    return max(float(rows["count"][0]) / features, 1.0)
