"""HC206: gradients of earlier steps are still there when the next are added."""

from collections.abc import Iterable
from typing import ClassVar

from hypocenter.diagnose.curve import progress
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.suspects import Suspect
from hypocenter.diagnose.training_rule import TrainingRule
from hypocenter.ir.site import Site


class GradientsNotZeroed(TrainingRule):
    """Each step uses the sum of all gradients so far.

    ## What it does
    Counts the optimizer steps whose backward pass added to gradients that an earlier step had already used.
    Reports when these are at least `SHARE` of all steps. Accumulation over micro-batches, with a reset after
    each step, is not counted.

    ## Why it is bad
    The sum works like a momentum of 1: it never forgets, so the weights swing or run away.

    ## Known problems
    Someone may want exactly this; it is an error only where the loss shows harm.

    ## Example
    A loop of ``loss.backward(); optimizer.step()``: put ``optimizer.zero_grad()`` before ``loss.backward()``.

    ## References
    PyTorch documentation, ``torch.optim.Optimizer.zero_grad``.

    ## Thresholds
    - SHARE: Part of the optimizer's steps. 0.5: more often than not.
    - MINIMUM_STEPS: Optimizer steps below which nothing is said. 8: a few steps without a reset do no harm.
    """

    code = "HC206"
    name = "gradients-not-zeroed"
    fault: ClassVar[Fault] = "training_loop"
    severity: ClassVar[Severity] = "error"
    summary = "Gradients are never reset between steps, so that each step uses the sum of all so far."
    explains = ("HC1", "HC201", "HC202", "HC204", "HC3", "HC4")

    SHARE: ClassVar[float] = 0.5
    MINIMUM_STEPS: ClassVar[int] = 8

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        events = facts.events("stale_gradient")
        if not events:
            return
        # Events come at counts 1, 2, 4, 8 …: the true count is less than twice the last one.
        count, steps = int(events[-1].get("count", 0)), facts.counters.get("optimizer_steps", facts.steps)
        if steps < self.MINIMUM_STEPS or 2 * count < self.SHARE * steps:
            return
        site = events[-1].get("site")
        course = progress(facts)
        harmed = course is None or course.broken or not course.judged or course.unfinished or course.rising
        suspect = Suspect(
            "training_loop",
            f"zero_grad() was called {facts.counters.get('zero_grads', 0)} times",
            Site.from_dict(site) if site else None,
            Fix("Call optimizer.zero_grad() before backward() in every step."),
            confidence=0.97,
        )
        message = f"in at least {count} of {steps} steps, backward() added to gradients that a step had already used"
        evidence: dict[str, float | int | None] = {"stale_steps_at_least": count, "optimizer_steps": steps}
        if course is not None:
            evidence |= course.evidence()
        yield self.accuse(suspect, message, "backward", severity="error" if harmed else "warning", evidence=evidence)
