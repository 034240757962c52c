"""HC904: the record of the run has gaps."""

from collections.abc import Iterable

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.diagnose.rule import Rule

#: Warnings told in full; all stand in `events.jsonl`.
_SHOWN = 5


class IncompleteRecord(Rule):
    """Something went wrong while the run was recorded or read back, so that the findings rest on less than they could.

    ## What it does
    Repeats the warnings of the recorder, the probes and the reader: a full disk, a damaged file, an operation that
    could not be observed.

    ## Why it is bad
    A fault that shows only in the missing part is not found.

    ## Known problems
    None.

    ## Example
    The disk is full after the first epoch: the later steps are kept in memory, thinned, and lost if the program is
    killed.

    ## References
    None.
    """

    code = "HC904"
    name = "incomplete-record"
    fault = "unknown"
    severity = "note"
    summary = "The record of the run has gaps."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One note with the different warnings."""
        told = [str(event.get("message", "")) for event in facts.events("warning")]
        messages = list(dict.fromkeys((*told, *facts.run.trace.warnings)))
        if not messages:
            return
        more = f" And {len(messages) - _SHOWN} more." if len(messages) > _SHOWN else ""
        yield Finding(
            self.code,
            self.name,
            self.severity,
            self.fault,
            1.0,
            None,
            "static",
            None,
            " ".join(messages[:_SHOWN]) + more,
            {"warnings": len(messages)},
            Fix("Make room or repair what the sentence names, and run again if the verdict matters."),
        )
