"""What the rules about training have in common: one finding per cause, and findings made from suspects."""

from collections.abc import Mapping
from typing import Any

from hypocenter.diagnose.finding import Finding, Severity, Where
from hypocenter.diagnose.rule import Rule
from hypocenter.diagnose.suspects import Suspect


class TrainingRule(Rule):
    """A rule whose finding also takes in others that accuse the same line of the same fault."""

    def absorbs(self, own: Finding, other: Finding) -> bool:
        """What `explains` says, and any finding about the same cause."""
        return super().absorbs(own, other) or same_cause(own, other)

    def accuse(
        self,
        suspect: Suspect,
        message: str,
        phase: Where,
        *,
        severity: Severity | None = None,
        step: int | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> Finding:
        """A finding about a suspect; `message` is the symptom, to which the suspect's reason is added."""
        return Finding(
            self.code,
            self.name,
            severity or self.severity,
            suspect.fault,
            suspect.confidence,
            suspect.layer,
            phase,
            suspect.location,
            f"{message}: {suspect.why}.",
            {**(evidence or {}), **suspect.evidence},
            suspect.fix,
            op=suspect.op,
            step=step,
        )


def same_cause(own: Finding, other: Finding) -> bool:
    """Whether two findings accuse the same line of the same known fault."""
    if own is other or other.severity == "note" or own.fault == "unknown" or own.fault != other.fault:
        return False
    return (
        own.location is not None
        and other.location is not None
        and (own.location.file, own.location.line) == (other.location.file, other.location.line)
    )
