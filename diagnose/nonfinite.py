"""What the rules on non-finite values have in common: from an origin to a finding."""

from typing import Any, ClassVar

from hypocenter.diagnose.case import Case, Reason
from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.finding import Fault, Finding, Fix, Severity
from hypocenter.diagnose.finding import Where as Phase
from hypocenter.diagnose.localization import Origin
from hypocenter.diagnose.reasons import reason_of
from hypocenter.diagnose.rule import Rule
from hypocenter.ir.graph import Layer
from hypocenter.ir.site import Site

#: Without a reason the place is known, the fault is a guess.
_UNEXPLAINED = 0.5


def layer_name(node: Layer | None) -> str | None:
    """The module's path, or the operation's name."""
    return None if node is None else node.module or node.name


class NonFiniteRule(Rule):
    """Base of the rules that report the origin of the first harmful NaN or infinity."""

    explains: ClassVar[tuple[str, ...]] = ("HC2", "HC3", "HC4")

    def absorbs(self, own: Finding, other: Finding) -> bool:
        """What shows at or after the step of the origin is its consequence."""
        late = other.step is None or own.step is None or other.step >= own.step or other.rule.startswith("HC40")
        return late and super().absorbs(own, other)


def forward_finding(rule: Rule, origin: Origin, phase: Phase) -> Finding:
    """The finding for an origin at a node, with the reason where the numbers tell it."""
    node = origin.node
    reason = reason_of(origin)
    if node is None:
        text = f"{origin.subject!r} turned bad"
    else:
        case = Case(origin, node)
        what = _gradient_of(origin) if origin.where == "backward" else f"{case.output.what} outputs not finite"
        text = f"{layer_name(node)!r}: {what if reason is None else reason.text}"
    return finding(
        rule,
        origin,
        phase=phase,
        fault=rule.fault if reason is None else reason.fault,
        message=f"{text}; so {origin.harm.text}.",
        site=(reason.site if reason is not None else None) or place(node),
        fix=_plain_fix(origin) if reason is None else reason.to_fix(),
        confidence=_UNEXPLAINED if reason is None else reason.confidence,
        evidence=_evidence(origin, reason),
    )


def finding(
    rule: Rule,
    origin: Origin,
    *,
    phase: Phase,
    fault: Fault,
    message: str,
    site: Site | None,
    fix: Fix | None,
    confidence: float,
    evidence: dict[str, Any],
    severity: Severity | None = None,
    related: tuple[Site, ...] = (),
) -> Finding:
    """A finding at an origin; its severity is that of the harm."""
    node = origin.node
    return Finding(
        rule.code,
        rule.name,
        severity or origin.harm.severity,
        fault,
        confidence,
        layer_name(node) if node is not None else origin.subject,
        phase,
        site,
        message[:1].upper() + message[1:] if message[:1].isalpha() else message,
        {"harm": origin.harm.text, **evidence},
        fix,
        None if node is None else node.op_type,
        origin.step,
        related,
    )


def _gradient_of(origin: Origin) -> str:
    gradient = origin.moment.gradient(origin.subject)
    counts = "is not finite" if gradient is None else f"has {gradient.what} values"
    return f"its gradient with respect to {origin.subject!r} {counts}, although the gradient that came in was finite"


def _evidence(origin: Origin, reason: Reason | None) -> dict[str, Any]:
    evidence: dict[str, Any] = {"reason": None if reason is None else reason.slug}
    if origin.node is not None:
        evidence["inputs"] = [stats.to_dict() for stats in origin.moment.feeds(origin.node) if stats.known]
        evidence["output"] = origin.moment.output(origin.node).to_dict()
    if origin.where == "backward":
        gradient = origin.moment.gradient(origin.subject)
        evidence["gradient"] = None if gradient is None else gradient.to_dict()
    return evidence


def _plain_fix(origin: Origin) -> Fix:
    name = "the operation" if origin.node is None else repr(layer_name(origin.node))
    return Fix(f"Look at what goes into {name} at step {origin.step}: its inputs are finite, its result is not.")
