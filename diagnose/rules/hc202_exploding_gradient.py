"""HC202: the gradient grows on its way to the first layers, or over the steps, without becoming infinite."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import numpy as np

from hypocenter.diagnose.curve import Progress, progress
from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.norms import Gain, gains
from hypocenter.diagnose.suspects import Suspect, large_rate, unscaled, written_at
from hypocenter.diagnose.training_rule import TrainingRule
from hypocenter.diagnose.units import feed


class ExplodingGradient(TrainingRule):
    """The gradient grows from layer to layer on its way back.

    ## What it does
    Adds up, module by module, by how much each changes the norm of the gradient on its way back, in the first step and
    over the run; reports growth
    beyond `GROWTH` between the output and the first layer when the loss is worse than that of a constant
    prediction (or, where that is not known, than `HARM` times its best value).

    ## Why it is bad
    Updates are dominated by whatever the batch happens to hold; the first layers are thrown about, and a little
    more depth or one unlucky batch turns the numbers into infinities.

    ## Known problems
    Growth that is clipped or normalised away by the optimizer and does no harm is not reported.

    ## Example
    ``nn.init.normal_(layer.weight, std=0.5)`` with 64 inputs: each layer multiplies by 2.8. Use
    ``nn.init.kaiming_normal_``; in recurrences, start from an orthogonal matrix and clip the gradient's norm.

    ## References
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013;
    He et al., "Delving deep into rectifiers", 2015.

    ## Thresholds
    - GROWTH: Norm of the gradient at the first layer over that at the output, no unit. 1e3: three orders of
      magnitude, as HC201 in the other direction; He or Glorot initialisation keeps the norm within one.
    - STRONG: Gain of a layer above which its weights are too large, no unit. 2: larger than the 1.41 of He.
    - EQUAL: Orders of magnitude within which contributions count as equal; the first such layer is named.
    - HARM: Loss at the end over the best loss of the run, where no constant prediction is known.
    """

    code = "HC202"
    name = "exploding-gradient"
    fault: ClassVar[Fault] = "initialization"
    severity: ClassVar[Severity] = "error"
    summary = "The gradient grows from layer to layer on its way back."
    explains = ("HC106", "HC204", "HC3", "HC4")

    GROWTH: ClassVar[float] = 1e3
    STRONG: ClassVar[float] = 2.0
    HARM: ClassVar[float] = 2.0
    EQUAL: ClassVar[float] = 0.1

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        course = progress(facts)
        if course is None or not self._harmed(course):
            return
        at_start = _by_module(gains(facts, first=1))
        modules = at_start if _grown(at_start) >= np.log10(self.GROWTH) else _by_module(gains(facts))
        grown = _grown(modules)
        if grown < np.log10(self.GROWTH):
            return
        largest = max(total for total, _ in modules.values())
        total, gain = next(item for item in modules.values() if item[0] >= largest - self.EQUAL)
        message = f"the gradient grows {10**grown:.1e} times from the output to the first layer, and {course.story()}"
        told = {name: float(10**value) for name, (value, _) in modules.items()}
        evidence = {"growth": float(10**grown), "growth_by_module": told, **course.evidence()}
        suspect = self._cause(facts, total, gain, initial=modules is at_start)
        yield self.accuse(suspect, message, "backward", step=int(course.step[0]), evidence=evidence)

    def _harmed(self, course: Progress) -> bool:
        if not course.judged:
            return False
        if course.baseline is not None:
            return course.end > course.baseline
        return course.end > self.HARM * course.best or course.start > 1e3 * max(abs(course.best), 1e-12)

    def _cause(self, facts: Facts, total: float, gain: Gain, *, initial: bool) -> Suspect:
        node, about = gain.node, feed(facts, gain.node)
        if initial and (about.gain > self.STRONG or gain.log10 > np.log10(1.2)):
            again = f" in each of its {round(total / gain.log10)} uses" if total > 1.5 * gain.log10 > 0 else ""
            return Suspect(
                "initialization",
                f"{node.name!r} multiplies it by {10**gain.log10:.2g}{again} (gain of its weights at the start: "
                f"{about.gain:.2g}, where 1 keeps the size)",
                written_at(facts, about.weight) or place(node),
                Fix(
                    "Initialise the weights for the activation: nn.init.kaiming_normal_ for ReLU, orthogonal_ in a "
                    "recurrence; clip the gradient's norm."
                ),
                layer=node.module or node.name,
                confidence=0.85,
                evidence={"weight": about.weight, "weight_gain": about.gain},
                op=node.op_type,
            )
        rate = large_rate(facts)
        if rate is not None:
            return replace(rate, confidence=rate.confidence - 0.1)  # HC204 is about it
        return unscaled(facts) or Suspect(
            "architecture",
            f"{node.name!r} contributes most, {10**total:.2g} times",
            place(node),
            Fix("Add normalisation layers or residual connections, or clip the gradient's norm."),
            layer=node.module or node.name,
            confidence=0.5,
            op=node.op_type,
        )


def _grown(modules: dict[str, tuple[float, Gain]]) -> float:
    return sum(total for total, _ in modules.values())


def _by_module(profile: list[Gain]) -> dict[str, tuple[float, Gain]]:
    """Module -> sum of the gains (log10) of all its calls, and its call with the largest; nodes with weights only
    stand for themselves, everything between them is left to its own name."""
    found: dict[str, tuple[float, Gain]] = {}
    for gain in profile:
        name = gain.node.module or gain.node.name
        total, best = found.get(name, (0.0, gain))
        found[name] = total + gain.log10, max(best, gain, key=lambda item: item.log10)
    return found
