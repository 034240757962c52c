"""HC204: steps that throw the weights about instead of adjusting them."""

from collections.abc import Iterable
from typing import ClassVar

from hypocenter.diagnose.curve import Progress, progress
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Severity
from hypocenter.diagnose.suspects import LARGE_RATIO, first_ratio, large_rate, momentum, unscaled, weight_decay
from hypocenter.diagnose.training_rule import TrainingRule


class UpdateTooLarge(TrainingRule):
    """Steps change the weights by as much as the weights are large, and training suffers.

    ## What it does
    Takes the median over weight matrices of ||update|| / ||weight||, and of that the largest of the first 20 steps
    past a warm-up. Reports a ratio of at least 0.1 (0.01 where the learning rate is beyond the usual for its optimizer)
    when the loss ends no better than a constant prediction, or worse than where it started. The steps of SGD grow with
    the inputs: where these are not scaled and the learning rate is a usual one, they are the cause.

    ## Why it is bad
    A step is right only near the weights at which its gradient was taken. Beyond that it is a random move: ReLU
    units die, sigmoid units saturate, the loss jumps.

    ## Known problems
    Adam's first steps on small networks may have a ratio of 0.2 and learn all the same; nothing is reported then.

    ## Example
    ``torch.optim.SGD(model.parameters(), lr=10.0)``: start from 0.01 to 0.1.

    ## References
    Karpathy, CS231n notes, "Ratio of weights:updates"; LeCun et al., "Efficient BackProp", 1998.

    ## Thresholds
    - WORSE: Loss at the end over the reference of an untrained model from which the run did harm. 1: it would have
      been better not to train.
    """

    code = "HC204"
    name = "update-too-large"
    fault: ClassVar[Fault] = "learning_rate"
    severity: ClassVar[Severity] = "error"
    summary = "Steps are so large that they throw the weights about."
    explains = ("HC1", "HC202", "HC3", "HC4")

    WORSE: ClassVar[float] = 1.0

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        course, ratio = progress(facts), first_ratio(facts)
        suspect = large_rate(facts) or (unscaled(facts) if ratio >= LARGE_RATIO else None)
        if course is None or suspect is None or momentum(facts) or weight_decay(facts) or not self._harmed(course):
            return
        message = f"steps of up to {ratio:.2g} of the weights' size, and {course.story()}"
        evidence = {"update_ratio": ratio, "healthy_below": LARGE_RATIO, **course.evidence()}
        yield self.accuse(suspect, message, "update", step=int(course.step[0]), evidence=evidence)

    def _harmed(self, course: Progress) -> bool:
        if not course.judged or course.falling:
            return False
        return course.stuck or course.end > self.WORSE * max(course.reference, 0.0)
