"""HC403: the loss jumps or swings instead of settling."""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from hypocenter.diagnose.curve import Progress, progress, zigzag
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.suspects import Suspect, large_rate, momentum, steepest
from hypocenter.diagnose.training_rule import TrainingRule


class LossOscillating(TrainingRule):
    """The loss goes up and down by more than the noise of batches explains.

    ## What it does
    Looks for two patterns in the last two thirds of a run whose loss moves on by less than a swing. Jumps: the loss
    varies widely around a level at which nothing is learned. Swings: the curve turns again and again, each time by a
    large part of its level and by many times what changes from step to step at random.

    ## Why it is bad
    What one step gains the next ones lose; the run does not converge.

    ## Known problems
    Cyclic learning rates swing on purpose: with them, and with fewer than three full turns, nothing is reported of
    swings.

    ## Example
    ``torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9999)``: use a momentum of 0.9.

    ## References
    Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013; Cohen et al.,
    "Gradient descent on neural networks typically occurs at the edge of stability", 2021.

    ## Thresholds
    - TURNS: Turning points of the loss that make an oscillation. 4: two full periods.
    - AMPLITUDE: Size of a swing relative to the median loss. 0.2: a convention, above what schedules cause.
    - SMOOTH: Size of a swing in standard deviations of the noise of single steps. 6: ten thousand medians of five
      independent normal values span 4.1 deviations of the values.
    - WINDOW: Steps of the running median in which swings are looked for. 5: leaves out outliers of up to two batches.
    - JUMPY: Robust standard deviation (1.4826 MAD) of the loss over its median, from which it jumps. 0.25.
    """

    code = "HC403"
    name = "loss-oscillating"
    fault: ClassVar[Fault] = "learning_rate"
    severity: ClassVar[Severity] = "warning"
    summary = "The loss jumps or swings instead of settling."

    TURNS: ClassVar[int] = 4
    AMPLITUDE: ClassVar[float] = 0.2
    SMOOTH: ClassVar[float] = 6.0
    JUMPY: ClassVar[float] = 0.25
    WINDOW: ClassVar[int] = 5

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        course = progress(facts)
        if course is None or not course.judged or course.end <= 0:
            return
        # Swings are no sign of anything as long as the loss moves on by more than one swing, or the rate swings too.
        if (course.falling or course.rising) and abs(course.change) > self.AMPLITUDE:
            return
        jumps, turns = self._jumps(course), 0 if self._cyclic(facts) else self._turns(course)
        if not jumps and turns < self.TURNS:
            return
        cause = momentum(facts) or large_rate(facts) or _unknown(facts)
        what = f"the loss turned {turns} times" if turns >= self.TURNS else "the loss jumps about"
        message = f"{what} in the last {len(course.recent)} steps without settling, and {course.story()}"
        severity: Severity = "error" if course.stuck else "warning"
        evidence = {"turns": turns, "jumps": jumps, **course.evidence()}
        yield self.accuse(cause, message, "curve", severity=severity, evidence=evidence)

    def _jumps(self, course: Progress) -> bool:
        return course.stuck and _deviation(course.recent) > self.JUMPY * float(np.median(course.recent))

    def _turns(self, course: Progress) -> int:
        recent = course.recent
        size = max(self.AMPLITUDE * float(np.median(recent)), self.SMOOTH * _noise(recent))
        # Medians of five: a batch that is an outlier by itself is no swing.
        smooth = np.median(np.lib.stride_tricks.sliding_window_view(recent, self.WINDOW), axis=1)
        return max(len(zigzag(smooth, size)) - 2, 0)

    @staticmethod
    def _cyclic(facts: Facts) -> bool:
        """Whether a learning rate goes up and down again and again; a warm-up and a decay make one turn."""
        rates = [rows["sum"] for rows in facts.rates.values() if len(rows)]
        return any(len(zigzag(rate, 0.1 * float(rate.max()))) - 2 >= 2 for rate in rates if rate.max() > 0)


def _noise(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Standard deviation of what is independent from step to step.

    Independent noise on a smooth curve makes neighbouring differences covary by minus its variance (Roll, "A simple
    implicit measure of the effective bid-ask spread", 1984); a swing of several steps makes them covary positively.
    """
    change = np.diff(values)
    if len(change) < 3:
        return 0.0
    return float(np.sqrt(max(-np.mean((change[1:] - change.mean()) * (change[:-1] - change.mean())), 0.0)))


def _deviation(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """The standard deviation of a normal sample with this median absolute deviation."""
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else 0.0


def _unknown(facts: Facts) -> Suspect:
    optimizer = steepest(facts)
    return Suspect(
        "learning_rate" if optimizer is not None else "unknown",
        "steps are too large for the loss to settle",
        None if optimizer is None else optimizer.where("lr"),
        Fix("Lower the learning rate, or decay it over the run."),
        confidence=0.55,
    )
