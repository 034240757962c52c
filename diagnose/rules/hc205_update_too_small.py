"""HC205: steps too small to move anything."""

from collections.abc import Iterable
from typing import ClassVar

import numpy as np

from hypocenter.diagnose.curve import progress
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.norms import matrices
from hypocenter.diagnose.suspects import Suspect, replaced
from hypocenter.diagnose.training_rule import TrainingRule


class UpdateTooSmall(TrainingRule):
    """All steps of the run together moved the weights by next to nothing, and nothing was learned.

    ## What it does
    Adds up ||update|| / ||weight|| over the run, per weight matrix. Reports when the sum is below `PATH` for
    every matrix, the gradients are not zero and the loss did not improve.

    ## Why it is bad
    The weights are still where the initialisation put them.

    ## Known problems
    A short run of a fine-tuning at a tiny learning rate looks alike; it is not reported when the loss is good
    from the start.

    ## Example
    ``torch.optim.SGD(model.parameters(), lr=1e-9)``: start from 0.01.

    ## References
    Karpathy, CS231n notes, "Ratio of weights:updates": about 1e-3 per step is healthy.

    ## Thresholds
    - PATH: Sum over the run of ||update|| / ||weight||, no unit. 1e-3: what one healthy step does.
    - LOW: Part of the optimizer's usual largest learning rate below which the rate itself is to blame. 1e-4: SGD's
      range from 1e-4 to 1, and Adam's from 1e-6 to 1e-2, are in use.
    """

    code = "HC205"
    name = "update-too-small"
    fault: ClassVar[Fault] = "learning_rate"
    severity: ClassVar[Severity] = "error"
    summary = "All steps together hardly moved the weights, and nothing was learned."
    explains = ("HC4",)

    PATH: ClassVar[float] = 1e-3
    LOW: ClassVar[float] = 1e-4

    def check(self, facts: Facts) -> Iterable[Finding]:
        """At most one finding."""
        course = progress(facts)
        if course is None or not course.stuck:
            return
        paths = self._paths(facts)
        moving = {name for name, rows in facts.gradients.items() if np.any(rows["absmax"] > 0)}
        if not paths or max(paths.values()) >= self.PATH or not moving.intersection(paths):
            return
        optimizer = max(facts.optimizers, key=lambda each: each.lr or 0.0, default=None)
        rates = [float(rows["sum"].max()) for rows in facts.rates.values() if len(rows)]
        rate = max(rates, default=0.0)
        if optimizer is None or rate == 0.0:
            return
        low = rate < self.LOW * optimizer.usual_maximum
        suspect = Suspect(
            "learning_rate",
            f"the learning rate of {optimizer.name} is at most {rate:g}",
            optimizer.where("lr"),
            Fix(
                f"Raise the learning rate of {optimizer.name} to about {optimizer.usual:g}.",
                replaced(optimizer.where("lr"), None, f"{optimizer.usual:g}"),
            ),
            confidence=0.95 if low else 0.6,
            evidence={"learning_rate": rate, "relative_path": max(paths.values())},
        )
        message = (
            f"all steps together moved the weights by {max(paths.values()):.1g} of their size, and {course.story()}"
        )
        yield self.accuse(suspect, message, "update", evidence=course.evidence())

    @staticmethod
    def _paths(facts: Facts) -> dict[str, float]:
        """Weight matrix -> sum of its update ratios, scaled up to the steps that were not recorded."""
        found = {}
        for name in matrices(facts):
            _, ratios = facts.update_ratios.get(name, (np.empty(0), np.empty(0)))
            if len(ratios):
                found[name] = float(np.mean(ratios)) * max(facts.steps, len(ratios))
        return found
