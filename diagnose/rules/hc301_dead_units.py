"""HC301: rectifier units that are zero for every sample."""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from hypocenter.diagnose.curve import Progress, progress
from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.suspects import Suspect, large_rate, weight_decay, written_at
from hypocenter.diagnose.training_rule import TrainingRule
from hypocenter.diagnose.units import State, dead, feed, weighted


class DeadUnits(TrainingRule):
    """Almost all units of a layer output zero for every sample, and so never learn again.

    ## What it does
    Counts, per step, the units of ReLU-like layers that are zero for the whole batch. Reports the first layer in
    which they are at least `DEAD` of all, from some step to the end, when less than half of what can be learned
    was learned. When the layer was dead from the start the initial bias and weights are looked at, and when it
    died later the size of the steps before.

    ## Why it is bad
    Where the output is zero for every sample, the gradient is zero: the unit stays dead, and nothing passes.

    ## Known problems
    Units that are zero in small batches but not in others count as dead in these; batches of one are left out.

    ## Example
    ``nn.init.constant_(layer.bias, -5.0)`` in front of a ReLU; use ``nn.init.zeros_``.

    ## References
    Lu et al., "Dying ReLU and initialization: theory and numerical examples", 2020.

    ## Thresholds
    - DEAD: Share of units. 0.9: nearly the whole layer; sparse layers of healthy networks have up to half dead in
      small batches.
    - LOW_BIAS: Mean of the bias below which it is to blame, in standard deviations of what is added to it. -2: a
      normal variable exceeds two deviations in 2 of 100 cases.
    """

    code = "HC301"
    name = "dead-units"
    fault: ClassVar[Fault] = "activation"
    severity: ClassVar[Severity] = "error"
    summary = "Almost all units of a layer are zero for every sample."
    explains = ("HC201", "HC203", "HC205", "HC301", "HC303", "HC4")

    DEAD: ClassVar[float] = 0.9
    LOW_BIAS: ClassVar[float] = -2.0

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding: the first dead layer."""
        course = progress(facts)
        if course is None or not course.unfinished:
            return
        states = [(state, state.since(self.DEAD)) for state in dead(facts) if state.late >= self.DEAD]
        found = [(state, since) for state, since in states if since is not None]
        if not found:
            return
        state, since = min(found, key=lambda item: (item[1] > item[0].step[0], facts.flow.order[item[0].node.name]))
        yield self._finding(facts, course, state, since, [other.node.name for other, _ in found])

    def _finding(self, facts: Facts, course: Progress, state: State, since: int, layers: list[str]) -> Finding:
        node = state.node
        suspect = self._cause(facts, state, since)
        message = (
            f"{state.late:.0%} of the units of {node.name!r} are zero for every sample from step {since} on, and "
            f"{course.story()}"
        )
        evidence = {
            "dead_share": state.late,
            "dead_from_step": since,
            "dead_layers": layers,
            **course.evidence(),
        }
        return self.accuse(
            suspect, message, "forward", severity="error" if course.stuck else "warning", step=since, evidence=evidence
        )

    def _cause(self, facts: Facts, state: State, since: int) -> Suspect:
        node, layer = state.node, weighted(facts, state.node)
        if set(node.outputs) & set(facts.run.ir.outputs) or _is_output(facts, node.name):
            return Suspect(
                "activation",
                f"{node.name!r} is the last operation of the model, and targets below zero are out of its reach"
                if _negative_targets(facts)
                else f"{node.name!r} is the last operation of the model",
                place(node),
                Fix(f"Remove the {node.op_type} after the last layer."),
                layer=node.module or node.name,
                confidence=0.9,
                op=node.op_type,
            )
        if since > state.step[0]:
            killer = large_rate(facts) or weight_decay(facts)
            if killer is not None:
                return killer
        elif layer is not None:
            return self._initial(facts, layer.name)
        return Suspect(
            "activation",
            "no setting that explains it was seen",
            place(node),
            Fix(f"Replace {node.op_type} by LeakyReLU or GELU, which always pass some gradient."),
            layer=node.module or node.name,
            confidence=0.5,
            op=node.op_type,
        )

    def _initial(self, facts: Facts, name: str) -> Suspect:
        layer = facts.run.ir.node(name)
        about = feed(facts, layer)
        spread = about.output_std if np.isfinite(about.output_std) else 0.0
        by_bias = about.bias_mean < min(self.LOW_BIAS * spread, -1e-6)
        parameter = about.bias if by_bias else about.weight
        why = f"the biases of {layer.name!r} start at {about.bias_mean:.3g} on average, and what is added to them "
        why += f"varies by {spread:.2g} only"
        if not by_bias:
            why = f"the weights of {layer.name!r} start so that its outputs are never positive"
        return Suspect(
            "initialization",
            why,
            written_at(facts, parameter) or place(layer),
            Fix("Start the biases at 0." if by_bias else "Draw the weights around 0 (nn.init.kaiming_normal_)."),
            layer=layer.module or layer.name,
            confidence=0.92,
            evidence={"parameter": parameter, "bias_mean": about.bias_mean, "output_std": spread},
            op=layer.op_type,
        )


def _is_output(facts: Facts, name: str) -> bool:
    return any(name in facts.flow.origins(output) for output in facts.run.ir.outputs)


def _negative_targets(facts: Facts) -> bool:
    return any(len(rows) and float(rows["min"].min()) < 0 for rows in facts.targets.values())
