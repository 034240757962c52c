"""Runs the rules over a run and gives the verdict."""

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.diagnose.ranking import rank
from hypocenter.diagnose.registry import all_rules, targets
from hypocenter.diagnose.rule import Rule
from hypocenter.diagnose.run import Run
from hypocenter.errors import BadInputError

Verdict = Literal["healthy", "suspect", "faulty", "undecided"]

#: How the program ends that needs PyTorch where there is none.
_NO_TORCH: Final = "ModuleNotFoundError: No module named 'torch'"


@dataclass(frozen=True)
class Diagnosis:
    """What the rules say about a run.

    Args:
        findings: Ranked; the first is the one to act on.
        verdict: `faulty` (an error), `suspect` (warnings only), `healthy`, or `undecided`.
        undecided_reason: One sentence, when the verdict is `undecided`.
        suppressed: Findings of rules that were not selected, unranked.
    """

    findings: tuple[Finding, ...]
    verdict: Verdict
    undecided_reason: str | None = None
    suppressed: tuple[Finding, ...] = ()


def diagnose(run: Run, select: Sequence[str] | None = None, ignore: Sequence[str] | None = None) -> Diagnosis:
    """Applies the rules to a run.

    A rule that fails does not take the others with it: its failure is reported as a note, `HC903`.

    Args:
        run: The run, finished, torn or still going.
        select: Codes, or beginnings of codes (`HC1`), to keep; None keeps all.
        ignore: Codes, or beginnings of codes, to leave out.

    Raises:
        BadInputError: `select` or `ignore` names no rule.
    """
    for prefix in (*(select or ()), *(ignore or ())):
        if not any(code.startswith(prefix.upper()) for code in targets()):
            raise BadInputError(f"There is no rule {prefix!r}; see `hypocenter explain`.", slug="no-such-rule")
    return judge(Facts(run), all_rules(), select, ignore)


def judge(
    facts: Facts, rules: Iterable[Rule], select: Sequence[str] | None = None, ignore: Sequence[str] | None = None
) -> Diagnosis:
    """As `diagnose`, with the rules to apply given as objects."""
    by_code = {rule.code: rule for rule in rules}
    kept: list[Finding] = []
    suppressed: list[Finding] = []
    for rule in by_code.values():
        for finding in _check(rule, facts):
            (kept if _wanted(finding.rule, select, ignore) else suppressed).append(finding)
    findings = tuple(rank(kept, by_code))
    verdict, reason = _verdict(findings, facts)
    return Diagnosis(findings, verdict, reason, tuple(suppressed))


def _wanted(code: str, select: Sequence[str] | None, ignore: Sequence[str] | None) -> bool:
    chosen = not select or code.startswith(tuple(prefix.upper() for prefix in select))
    return chosen and not (ignore and code.startswith(tuple(prefix.upper() for prefix in ignore)))


def _check(rule: Rule, facts: Facts) -> list[Finding]:
    try:
        return list(rule.check(facts))
    except Exception as error:  # noqa: BLE001 - a bug in one rule must not hide what the others found; it is reported
        return [_failure(rule, error)]


def _failure(rule: Rule, error: Exception) -> Finding:
    last = traceback.extract_tb(error.__traceback__)[-1]
    message = f"{rule.code} {rule.name} could not judge this run: {type(error).__name__}: {error}"
    return Finding(
        "HC903",
        "rule-failed",
        "note",
        "unknown",
        1.0,
        None,
        "static",
        None,
        message,
        {"rule": rule.code, "where": f"{last.name}:{last.lineno}", "traceback": traceback.format_exception(error)},
        Fix("Report this to the authors of hypocenter with the run folder; the other rules were applied all the same."),
    )


def _verdict(findings: Sequence[Finding], facts: Facts) -> tuple[Verdict, str | None]:
    severities = {finding.severity for finding in findings}
    if "error" in severities:
        return "faulty", None
    if "warning" in severities:
        return "suspect", None
    if not facts.recorded:
        return "undecided", f"Nothing was recorded: {_nothing(facts)}."
    if not facts.run.ir.nodes:
        return "undecided", "The graph of the model is missing: its layers cannot be judged."
    if not facts.trained:
        return "undecided", "The model was called but never trained; nothing wrong was seen in its forward passes."
    return "healthy", None


def _nothing(facts: Facts) -> str:
    """Why there is nothing to judge."""
    if facts.event("end").get("exception") == _NO_TORCH:
        return "PyTorch is not installed for this Python; pip install 'hypocenter[torch]'"
    program = facts.event("program")
    if program and not program.get("frameworks"):
        return "the program did not import PyTorch"
    killed = facts.run.folder is not None and not facts.events("end")
    return "the program was killed before a forward pass was on disk" if killed else "no model was called"
