"""HC402: the loss runs away."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from hypocenter.diagnose.curve import Progress, progress
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.objective import negated
from hypocenter.diagnose.suspects import Suspect, large_rate, maximized, momentum, steepest, unscaled
from hypocenter.diagnose.training_rule import TrainingRule


class LossDiverging(TrainingRule):
    """The loss rises far above its start, and goes on rising.

    ## What it does
    Tests the last two thirds of the run for a rising trend and compares the median of the last quarter with
    the first losses. A loss that is the negative of one that cannot be negative, or the mean of log-probabilities, is
    judged by what it should have been. Climbing optimizers, momentum, and the learning rate are looked at as causes.

    ## Why it is bad
    Every step makes the model worse; the end is an overflow.

    ## Known problems
    Objectives that are maximized on purpose through a minus sign of their own are not judged unless the negated
    value is a loss that cannot be negative.

    ## Example
    ``loss = -F.cross_entropy(logits, y)``: remove the minus sign.

    ## References
    LeCun et al., "Efficient BackProp", 1998: beyond twice the best learning rate gradient descent diverges.

    ## Thresholds
    - FACTOR: Loss at the end over the loss at the start. 1.5: more than batch noise, which the median of a quarter of
      the run leaves out.
    """

    code = "HC402"
    name = "loss-diverging"
    fault: ClassVar[Fault] = "learning_rate"
    severity: ClassVar[Severity] = "error"
    summary = "The loss rises far above its start, and goes on rising."
    explains = ("HC1", "HC202", "HC3", "HC4")

    FACTOR: ClassVar[float] = 1.5

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        course = progress(facts)
        if course is None or not course.judged:
            return
        reversed_sign = negated(facts, facts.loss.subject)
        if reversed_sign is not None:
            inner = replace(course, value=-course.value, baseline=None)
            if inner.rising:
                yield self.accuse(reversed_sign, inner.story(), "curve", evidence=course.evidence())
            return
        if not self._diverges(course):
            return
        cause = maximized(facts) or momentum(facts) or unscaled(facts) or large_rate(facts) or _rate(facts)
        yield self.accuse(cause, course.story(), "curve", evidence=course.evidence())

    def _diverges(self, course: Progress) -> bool:
        if not course.rising or course.start <= 0:
            return False
        return course.end > self.FACTOR * max(course.start, course.best, course.baseline or 0.0)


def _rate(facts: Facts) -> Suspect:
    """Divergence without an unusual setting: the learning rate is too large for this problem."""
    optimizer = steepest(facts)
    site = optimizer.where("lr") if optimizer is not None else facts.loss_sites.get(facts.loss.subject)
    told = (
        f"the learning rate of {optimizer.name}, {optimizer.lr:g}, is too large here"
        if optimizer
        else "its steps are too large"
    )
    return Suspect(
        "learning_rate",
        told,
        site,
        Fix("Lower the learning rate by a factor of 10."),
        confidence=0.7,
        evidence={} if optimizer is None else {"learning_rate": optimizer.lr},
    )
