"""HC203: weights that should be trained never change."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from hypocenter.diagnose.curve import progress
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.gradient_flow import GradientFlow
from hypocenter.diagnose.ops import op
from hypocenter.diagnose.optimizers import Optimizer
from hypocenter.diagnose.suspects import Suspect, replaced
from hypocenter.diagnose.training_rule import TrainingRule
from hypocenter.diagnose.units import RECTIFIERS
from hypocenter.diagnose.unreached import stopped, unregistered
from hypocenter.ir.site import Site


class UnchangedWeights(TrainingRule):
    """Weights that require gradients, in layers that run, stay as they were.

    ## What it does
    Asks, in this order: does any optimizer step; is every learning rate 0; does any gradient other than zero
    reach the weights, and if not, was it reset before the step, or which operation keeps it back; do all
    weights that an optimizer holds get one; does an optimizer hold all weights that get one; does the model know
    all layers that it calls.

    ## Why it is bad
    The layers stay random, however long the training.

    ## Known problems
    Training only the last layers of a network whose first ones were meant to be frozen is common; weights that
    no optimizer holds are accused only when they lie behind trained ones or when nothing was learned, and layers that
    the model does not know only when less than half of what can be learned was learned.

    ## Example
    ``self.head(self.features(x).detach())``: the features never learn; remove ``.detach()``.

    ## References
    PyTorch documentation, "Autograd mechanics".

    ## Thresholds
    - MINIMUM_STEPS: Backward passes below which nothing is said. 5: a program that is still setting up has fewer.
    """

    code = "HC203"
    name = "unchanged-weights"
    fault: ClassVar[Fault] = "training_loop"
    severity: ClassVar[Severity] = "error"
    summary = "Weights that require gradients never change."
    explains = ("HC201", "HC205", "HC303", "HC4")

    MINIMUM_STEPS: ClassVar[int] = 5

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding: the first question that has an answer."""
        flow = GradientFlow(facts)
        backwards = facts.counters.get("backwards", len(facts.loss))
        if backwards < self.MINIMUM_STEPS or not facts.optimizers or not flow.trainable:
            return
        questions = (
            self._never_steps,
            self._rate_zero,
            self._nothing_arrives,
            self._some_cut,
            self._not_held,
            self._not_registered,
        )
        for answer in questions:
            finding = next(iter(answer(facts, flow)), None)
            if finding is not None:
                yield finding
                return

    def _finding(self, facts: Facts, suspect: Suspect, message: str, severity: Severity = "error") -> Finding:
        course = progress(facts)
        told = {} if course is None else course.evidence()
        return self.accuse(suspect, message, "update", severity=severity, evidence=told)

    def _never_steps(self, facts: Facts, flow: GradientFlow) -> Iterator[Finding]:
        counters = facts.counters
        if counters.get("optimizer_steps", 0) or counters.get("manual_steps", 0) or flow.moved:
            return
        if counters.get("scaler_skips", 0):
            return
        suspect = Suspect(
            "training_loop",
            f"{facts.optimizers[0].name} never made a step",
            _backward_site(facts),
            Fix("Call optimizer.step() after backward()."),
            confidence=0.97,
            evidence={"backwards": counters.get("backwards", 0), "optimizer_steps": 0},
        )
        yield self._finding(
            facts, suspect, f"backward() ran {counters.get('backwards', 0)} times and no weight changed"
        )

    def _rate_zero(self, facts: Facts, flow: GradientFlow) -> Iterator[Finding]:
        rates = [rows["sum"] for rows in facts.rates.values() if len(rows)]
        if not rates or any((rate != 0).any() for rate in rates) or flow.moved:
            return
        optimizer = facts.optimizers[0]
        site = optimizer.where("lr")
        suspect = Suspect(
            "learning_rate",
            f"the learning rate of {optimizer.name} is 0 at every step",
            site,
            Fix(f"Set the learning rate to about {optimizer.usual:g}.", replaced(site, None, f"{optimizer.usual:g}")),
            confidence=0.97,
            evidence={"learning_rate": 0.0},
        )
        yield self._finding(facts, suspect, f"{len(rates[0])} optimizer steps changed no weight")

    def _nothing_arrives(self, facts: Facts, flow: GradientFlow) -> Iterator[Finding]:
        if not any(name in flow.held for name in flow.trainable):
            return  # the optimizers would see no gradient whatever happens: _not_held
        if flow.pulled or not facts.counters.get("optimizer_steps", facts.steps):
            return
        last = max(flow.trainable, key=flow.position)
        layer = facts.parameter_layer[last]
        if any(name in flow.reached for name in layer.outputs):
            suspect = Suspect(
                "training_loop",
                f"the gradient did arrive at {layer.name!r}, so it is reset between backward() and step()",
                _backward_site(facts),
                Fix("Call optimizer.zero_grad() before backward(), not between backward() and step()."),
                confidence=0.95,
            )
            yield self._finding(facts, suspect, "at every optimizer step all gradients were zero or missing")
            return
        stop = flow.cut(layer)
        if stop is not None and op(stop) in RECTIFIERS:
            return  # dead units: HC301 knows why
        if stop is not None:
            yield self._finding(facts, stopped(facts, stop, layer), "no weight ever had a gradient other than zero")
            return
        suspect = Suspect(
            "training_loop",
            "the tensor on which backward() is called was not computed from the model's output by operations that "
            "pass gradients (a new tensor, a number from item(), numpy)",
            _backward_site(facts),
            Fix("Call backward() on the loss that was computed from the model's output, not on a copy of its value."),
            confidence=0.9,
        )
        yield self._finding(facts, suspect, "backward() ran, and no weight ever had a gradient")

    def _some_cut(self, facts: Facts, flow: GradientFlow) -> Iterator[Finding]:
        held = [name for name in flow.trainable if name in flow.held]
        starved = [name for name in held if name not in flow.fed]
        if not starved or len(starved) == len(held):
            return
        last = max(starved, key=flow.position)
        stop = flow.cut(facts.parameter_layer[last])
        if stop is None:
            return  # a branch that the loss does not use
        suspect = stopped(facts, stop, facts.parameter_layer[last])
        message = f"{len(starved)} of {len(held)} parameters in the optimizer never had a gradient ({_some(starved)})"
        course = progress(facts)
        yield self._finding(facts, suspect, message, "error" if course is None or course.unfinished else "warning")

    def _not_held(self, facts: Facts, flow: GradientFlow) -> Iterator[Finding]:
        left = [name for name in flow.trainable if name not in flow.held and name not in flow.moved]
        taught = [name for name in flow.trainable if name in flow.held]
        course = progress(facts)
        if not left or course is None or not course.judged:
            return
        behind = not taught or max(map(flow.position, left)) > max(map(flow.position, taught))
        if not (behind and course.unfinished) and not course.stuck:
            return
        optimizer: Optimizer = facts.optimizers[0]
        layer = facts.parameter_layer[max(left, key=flow.position)]
        stray = f", which holds {flow.unknown} tensors of no model" if flow.unknown else ""
        of_another = " (those of another model or of a copy)" if flow.unknown and not taught else ""
        suspect = Suspect(
            "optimizer",
            f"they are not in {optimizer.name}{stray}{of_another}",
            optimizer.site,
            Fix("Make the optimizer after the model is complete, from model.parameters()."),
            layer=(layer.module or layer.name) if taught else None,
            confidence=0.93,
            evidence={"missing": left[:16], "tensors_of_no_model": flow.unknown},
            op=layer.op_type if taught else None,
        )
        message = f"{len(left)} trainable parameters ({_some(left)}) never changed"
        yield self._finding(facts, suspect, message)

    def _not_registered(self, facts: Facts, flow: GradientFlow) -> Iterator[Finding]:
        course = progress(facts)
        suspect = unregistered(facts, flow) if course is not None and course.unfinished else None
        if suspect is not None:
            yield self._finding(facts, suspect, "weights of a layer never changed")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown}, …"


def _backward_site(facts: Facts) -> Site | None:
    for event in facts.events("loss"):
        if event.get("backward_site"):
            return Site.from_dict(event["backward_site"])
    return facts.optimizers[0].site
