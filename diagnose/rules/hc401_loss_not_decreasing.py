"""HC401: nothing was learned."""

from collections.abc import Iterable
from typing import ClassVar

from hypocenter.diagnose.curve import Progress, progress
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.signs import never_negative
from hypocenter.diagnose.suspects import Suspect, dropout, settings
from hypocenter.diagnose.training_rule import TrainingRule


class LossNotDecreasing(TrainingRule):
    """At the end the loss is that of a model which learned nothing.

    ## What it does
    Compares the median loss of the last quarter with the loss of the best constant prediction (or, where that
    cannot be worked out, of the first steps), and tests the last two thirds for a falling trend. Reports when
    the loss is not at least a tenth better and does not fall, or falls a little under a dropout that leaves out nine
    values in ten.

    ## Why it is bad
    The run is lost.

    ## Known problems
    Labels that do not depend on the inputs cannot be learned: the loss is right then, and the data are not. Runs of
    fewer than 30 steps, adversarial training, and losses that start below what a constant prediction has are
    not judged. Neither are losses that may be negative, such as the likelihood of counts, unless a setting is to
    blame: how near they are to their least value cannot be told.

    ## Example
    A weight decay of 5, a dropout that keeps one value in fifty, shuffled labels.

    ## References
    Mann, "Nonparametric tests against trend", 1945; Sen, "Estimates of the regression coefficient based on
    Kendall's tau", 1968. Thresholds: ``hypocenter.diagnose.curve.Progress``.
    """

    code = "HC401"
    name = "loss-not-decreasing"
    fault: ClassVar[Fault] = "unknown"
    severity: ClassVar[Severity] = "error"
    summary = "The loss stays where it would be if the model had learned nothing."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        severity: Severity
        course = progress(facts)
        if course is None or course.rising or course.broken or not course.judged:
            return
        cause = next(iter(settings(facts)), None) if course.stuck else self._slowed(facts, course)
        if cause is not None:
            severity = "error" if course.stuck else "warning"
            yield self.accuse(cause, f"{course.story()}", "curve", severity=severity, evidence=course.evidence())
            return
        if not course.stuck or (course.baseline is None and not never_negative(facts, facts.loss.subject)):
            return
        site = facts.loss_sites.get(facts.loss.subject)
        unknown = Suspect(
            "unknown",
            "the recorded values do not tell why",
            site,
            Fix("Check that the targets belong to the inputs, then try to overfit one batch."),
            confidence=0.6,
        )
        severity = "warning" if course.baseline is None else "error"
        yield self.accuse(unknown, course.story(), "curve", severity=severity, evidence=course.evidence())

    @staticmethod
    def _slowed(facts: Facts, course: Progress) -> Suspect | None:
        """What holds a loss that falls a little, but ends where nothing was learned."""
        return dropout(facts) if course.remaining >= course.STUCK else None
