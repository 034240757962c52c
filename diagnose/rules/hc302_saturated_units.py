"""HC302: sigmoid, tanh or softmax units that sit at their ends."""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from hypocenter.diagnose.curve import progress
from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.ops import op
from hypocenter.diagnose.suspects import LARGE_INPUT, Suspect, large_rate, unscaled, written_at
from hypocenter.diagnose.training_rule import TrainingRule
from hypocenter.diagnose.units import SIGMOIDS, State, feed, saturated, weighted
from hypocenter.diagnose.unreached import lone_softmax


class SaturatedUnits(TrainingRule):
    """Almost all values of a sigmoid-like layer are at its ends, where its derivative is next to zero.

    ## What it does
    Counts values at or beyond the bounds of the operation (derivative at most 0.01; see ``hypocenter.ir.opspec``).
    Reports the first layer in which they are at least `SATURATED` of all, from some step to the end, when less
    than half of what can be learned was learned. The scale of the inputs, of the initial weights, and the size of
    the steps tell the cause.

    ## Why it is bad
    The gradient loses two orders of magnitude in passing, so the layers before learn a hundred times slower.

    ## Known problems
    Outputs of a confident classifier are saturated as they should be: the loss is good then, and nothing is
    reported. Softmax inside a network (hard attention) is not judged.

    ## Example
    Raw measurements of up to 4000 into ``nn.Linear(30, 24)`` and a sigmoid: standardise the features.

    ## References
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010;
    LeCun et al., "Efficient BackProp", 1998.

    ## Thresholds
    - SATURATED: Share of values. 0.8: Glorot and Bengio call layers saturated when the bulk of the values is; at
      0.8 the layer's mean derivative is below a fifth of its largest.
    - STRONG: Gain of a layer's weights from which these are too large, no unit. 3: twice He's 1.41, rounded up.
    """

    code = "HC302"
    name = "saturated-units"
    fault: ClassVar[Fault] = "activation"
    severity: ClassVar[Severity] = "error"
    summary = "Almost all values of a sigmoid, tanh or softmax layer sit at its ends."
    explains = ("HC201", "HC202", "HC205", "HC302", "HC303", "HC4")

    SATURATED: ClassVar[float] = 0.8
    STRONG: ClassVar[float] = 3.0

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding: the first saturated layer."""
        course = progress(facts)
        if course is None or not course.unfinished:
            return
        states = [state for state in saturated(facts) if self._judged(facts, state)]
        found = [(state, since) for state in states if (since := state.since(self.SATURATED)) is not None]
        if not found:
            return
        state, since = min(found, key=lambda item: (item[1] > item[0].step[0], facts.flow.order[item[0].node.name]))
        suspect = self._cause(facts, state, since)
        message = (
            f"{state.late:.0%} of the values of {state.node.name!r} are at its ends from step {since} on, and "
            f"{course.story()}"
        )
        evidence = {
            "saturated_share": state.late,
            "saturated_from_step": since,
            "saturated_layers": [other.node.name for other, _ in found],
            **course.evidence(),
        }
        severity: Severity = "error" if course.stuck or since <= state.step[0] else "warning"
        yield self.accuse(suspect, message, "forward", severity=severity, step=since, evidence=evidence)

    @staticmethod
    def _judged(facts: Facts, state: State) -> bool:
        if op(state.node) in SIGMOIDS:
            return True
        return any(state.node.name in facts.flow.origins(output) for output in facts.run.ir.outputs)

    def _cause(self, facts: Facts, state: State, since: int) -> Suspect:
        lone = lone_softmax(facts, state.node)
        if lone is not None:
            return lone
        layer = weighted(facts, state.node)
        if since > state.step[0]:
            moved = large_rate(facts)
            if moved is not None:
                return moved
        about = feed(facts, layer) if layer is not None else None
        if about is not None and about.from_data and about.input_rms >= LARGE_INPUT:
            raw = unscaled(facts)
            if raw is not None:
                return raw
        if about is not None and layer is not None and np.isfinite(about.gain) and about.gain >= self.STRONG:
            return Suspect(
                "initialization",
                f"the weights of {layer.name!r} start with a gain of {about.gain:.3g}, where 1 keeps the size",
                written_at(facts, about.weight) or place(layer),
                Fix("Initialise the weights with nn.init.xavier_normal_."),
                layer=layer.module or layer.name,
                confidence=0.9,
                evidence={"weight": about.weight, "weight_gain": about.gain},
                op=layer.op_type,
            )
        return (
            large_rate(facts)
            or unscaled(facts)
            or Suspect(
                "normalization",
                "its inputs are too large",
                place(state.node),
                Fix("Put a normalisation layer in front of it, or use ReLU."),
                layer=state.node.module or state.node.name,
                confidence=0.5,
                op=state.node.op_type,
            )
        )
