"""HC303: the model gives every sample the same output."""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from hypocenter.diagnose.curve import progress
from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.norms import matrices
from hypocenter.diagnose.suspects import Suspect, settings, written_at
from hypocenter.diagnose.tensors import Series
from hypocenter.diagnose.training_rule import TrainingRule
from hypocenter.diagnose.units import WEAK_GAIN, feed


class CollapsedOutput(TrainingRule):
    """The outputs of all samples of a batch are the same.

    ## What it does
    Takes, per step, the largest difference within the batch over all output features. Reports when it is next to
    nothing beside the size of the outputs in the last quarter of the run, and nothing was learned. Constant
    initial weights, a large weight decay, dropout or learning rate are looked for as causes.

    ## Why it is bad
    The model ignores its input: it is a constant.

    ## Known problems
    A batch of equal samples looks alike.

    ## Example
    ``module.weight.data.zero_()`` in every layer: all units stay equal. Keep PyTorch's own initialisation.

    ## References
    Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 8.4 (breaking symmetry).

    ## Thresholds
    - SPREAD: Largest difference over the root mean square of the outputs, no unit. 1e-3: far below what a random
      network shows for different inputs (of order 1).
    - FADED: Product of the gains of all initial weights from which these let the signal fade, no unit. 1e-2: PyTorch's
      default of 0.58 gets there with nine layers, Glorot's and He's never.
    - NOTHING: Largest difference that counts as none whatever the size. 1e-7: the resolution of float32 around 1.
    """

    code = "HC303"
    name = "collapsed-output"
    fault: ClassVar[Fault] = "unknown"
    severity: ClassVar[Severity] = "error"
    summary = "The model gives every sample the same output."
    explains = ("HC201", "HC205", "HC4")

    SPREAD: ClassVar[float] = 1e-3
    NOTHING: ClassVar[float] = 1e-7
    FADED: ClassVar[float] = 1e-2

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        course = progress(facts)
        if course is None or not course.stuck:
            return
        for name in dict.fromkeys(origin for output in facts.run.ir.outputs for origin in facts.flow.origins(output)):
            rows = facts.forward.get(name)
            if rows is None or not self._collapsed(rows):
                continue
            cause = _constant(facts) or next(iter(settings(facts)), None) or _weak(facts, self.FADED)
            suspect = cause or _unknown(facts, name)
            spread = float(np.nanmedian(_late(rows)["spread"]))
            message = f"the outputs {name!r} differ by at most {spread:.1g} between samples, and {course.story()}"
            evidence = {"output": name, "spread": spread, **course.evidence()}
            yield self.accuse(suspect, message, "forward", evidence=evidence)
            return

    def _collapsed(self, rows: Series) -> bool:
        late = _late(rows)
        known = ~np.isnan(late["spread"])
        if not known.any():
            return False
        spread, size = late["spread"][known], late.rms[known]
        return bool(np.median(spread <= np.maximum(self.SPREAD * size, self.NOTHING)) == 1.0)


def _late(rows: Series) -> Series:
    return rows.take(slice(-max(1, len(rows) // 4), None))


def _constant(facts: Facts) -> Suspect | None:
    """Weight matrices that start with all their values equal."""
    names = [
        name
        for name in matrices(facts)
        if (rows := facts.weights[name])["count"][0] > 1 and rows["min"][0] == rows["max"][0]
    ]
    if not names:
        return None
    layer = facts.parameter_layer[names[0]]
    value = float(facts.weights[names[0]]["min"][0])
    return Suspect(
        "initialization",
        f"all weights of {len(names)} of {len(matrices(facts))} layers start at {value:.3g}, so their units stay alike",
        written_at(facts, names[0]) or place(layer),
        Fix("Draw the weights at random: leave them as PyTorch makes them, or use nn.init.kaiming_normal_."),
        layer=layer.module or layer.name,
        confidence=0.93,
        evidence={"constant_weights": names[:16], "value": value},
        op=layer.op_type,
    )


def _weak(facts: Facts, faded: float) -> Suspect | None:
    """Weights that start so small that together they let nothing pass."""
    feeds = [feed(facts, facts.parameter_layer[name]) for name in matrices(facts)]
    gains = {about.layer.name: about for about in feeds if np.isfinite(about.gain) and about.gain > 0}
    if not gains or float(np.prod([about.gain for about in gains.values()])) > faded:
        return None
    about = min(gains.values(), key=lambda item: item.gain)
    if about.gain >= WEAK_GAIN:
        return None
    return Suspect(
        "initialization",
        f"the weights of {about.layer.name!r} start with a gain of {about.gain:.2g}, where 1 keeps the size",
        written_at(facts, about.weight) or place(about.layer),
        Fix("Initialise the weights for the activation: nn.init.xavier_normal_ for tanh, kaiming_normal_ for ReLU."),
        layer=about.layer.module or about.layer.name,
        confidence=0.8,
        evidence={"weight": about.weight, "weight_gain": about.gain},
        op=about.layer.op_type,
    )


def _unknown(facts: Facts, name: str) -> Suspect:
    node = facts.flow.find(name)
    return Suspect(
        "unknown",
        "no setting that explains it was seen",
        place(node),
        Fix("Look at the layers in front of the output: one of them gives the same for every sample."),
        layer=None if node is None else node.module or node.name,
        confidence=0.5,
        op=None if node is None else node.op_type,
    )
