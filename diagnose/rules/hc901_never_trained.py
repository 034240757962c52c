"""HC901: a run without training."""

from collections.abc import Iterable

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.diagnose.rule import Rule


class NeverTrained(Rule):
    """A model was called, but no backward pass ran and no optimizer stepped.

    ## What it does
    Says that only forward passes could be judged.

    ## Why it is bad
    It is not, in a program that only predicts. In one that should train, the training part was not reached.

    ## Known problems
    Training outside of the process (in workers that the program starts) is not seen.

    ## Example
    A script that loads a checkpoint and evaluates it.

    ## References
    None.
    """

    code = "HC901"
    name = "never-trained"
    fault = "unknown"
    severity = "note"
    summary = "A model was called, but never trained: only its forward passes were judged."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One note."""
        if facts.trained or not facts.recorded:
            return
        calls = facts.counters.get("forwards", 0)
        yield Finding(
            self.code,
            self.name,
            self.severity,
            self.fault,
            1.0,
            None,
            "static",
            facts.model_site,
            f"The model was called {calls} times but never trained: only its forward passes were judged.",
            {"forwards": calls},
            Fix("Nothing, if the program only predicts; else see why it never reaches loss.backward()."),
        )
