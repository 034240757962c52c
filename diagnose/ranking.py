"""Puts findings in the order in which to act on them, cause before consequence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.rule import Rule

_SEVERITY: Final = {"error": 0, "warning": 1, "note": 2}

#: What comes first in a training step comes first in the report: data, initial weights, settings of the training,
#: then the numbers that went bad, gradients, activations, and the curve that all of these end in.
_BY_FAULT: Final = {
    "data": 0,
    "labels": 0,
    "normalization": 0,
    "initialization": 1,
    "training_loop": 2,
    "optimizer": 3,
    "learning_rate": 3,
}
_BY_RULE: Final = (("HC1", 4), ("HC5", 5), ("HC2", 6), ("HC3", 7), ("HC4", 8))
_LAST: Final = 9
#: What non-finite values add to the confidence of a finding when those of a tier are put in order. 0.3: a guessed cause
#: (0.5) stays behind a proven one (0.9), a cause with evidence (0.7) does not.
_NUMERICS_LEAD: Final = 0.3


def tier(finding: Finding) -> int:
    """How early in the chain of causes a finding stands, from 0."""
    by_rule = next((tier for prefix, tier in _BY_RULE if finding.rule.startswith(prefix)), _LAST)
    return min(_BY_FAULT.get(finding.fault, by_rule), by_rule)


def _causal(finding: Finding) -> tuple[int, int, float, int]:
    """Within a tier the most certain leads, and non-finite values have a lead: they are the strongest evidence."""
    step = finding.step if finding.step is not None else 0
    lead = _NUMERICS_LEAD if finding.rule.startswith("HC1") else 0.0
    return tier(finding), _SEVERITY[finding.severity], -(finding.confidence + lead), step


def _urgent(finding: Finding) -> tuple[int, int, float, int]:
    """Severity leads: a cause has by now the severity of what it explains."""
    cause, severity, *rest = _causal(finding)
    return (severity, cause, *rest)  # type: ignore[return-value]  # mypy does not follow the types through *rest


def _absorb(cause: Finding, other: Finding) -> Finding:
    """The cause with a consequence among its evidence; harm that the consequence shows is harm of the cause."""
    also = [*cause.evidence.get("also", ()), {"rule": other.rule, "layer": other.layer, "message": other.message}]
    also.extend(other.evidence.get("also", ()))
    severity = min(cause.severity, other.severity, key=lambda name: _SEVERITY[name])
    return replace(cause, severity=severity, evidence={**cause.evidence, "also": also})


def rank(findings: Sequence[Finding], rules: Mapping[str, Rule]) -> list[Finding]:
    """Ranked findings from 1; consequences that a kept finding explains become its evidence (`also`).

    Args:
        findings: What the rules found.
        rules: Code -> rule, which is asked what its finding explains.
    """
    kept: list[Finding] = []
    seen: list[tuple[Finding, int]] = []  # a finding and the place in `kept` of itself or of what explains it
    for finding in sorted(findings, key=_causal):
        for cause, place in seen:
            if cause.rule in rules and rules[cause.rule].absorbs(cause, finding):
                kept[place] = _absorb(kept[place], finding)
                seen.append((finding, place))
                break
        else:
            seen.append((finding, len(kept)))
            kept.append(finding)
    return [finding.ranked(place) for place, finding in enumerate(sorted(kept, key=_urgent), start=1)]
