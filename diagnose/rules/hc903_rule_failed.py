"""HC903: a rule that could not judge."""

from collections.abc import Iterable

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.rule import Rule


class RuleFailed(Rule):
    """A rule raised an exception on this run; the others were applied all the same.

    ## What it does
    Reports the exception as a note, with its traceback as evidence. It is made where rules are applied, so that this
    rule itself finds nothing.

    ## Why it is bad
    It is a fault of hypocenter: the run was judged without that rule.

    ## Known problems
    None.

    ## Example
    A damaged run folder that lacks what the rule takes for granted.

    ## References
    None.
    """

    code = "HC903"
    name = "rule-failed"
    fault = "unknown"
    severity = "note"
    summary = "A rule failed on this run; the others were applied."

    def check(self, facts: Facts) -> Iterable[Finding]:  # noqa: ARG002 - the contract of every rule
        """Nothing."""
        return ()
