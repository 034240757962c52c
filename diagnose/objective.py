"""Objectives that training makes worse instead of better."""

from typing import TYPE_CHECKING

from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.finding import Fix
from hypocenter.diagnose.ops import op, scalar
from hypocenter.diagnose.signs import log_likelihood
from hypocenter.diagnose.suspects import Suspect
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts


def negated(facts: "Facts", subject: str) -> Suspect | None:
    """A loss that cannot be negative, negated before backward, or a log-likelihood that lacks its minus sign."""
    bare = log_likelihood(facts, subject)
    if bare is not None:
        return _likelihood(facts, subject, bare)
    node = facts.flow.find(subject)
    below = None if node is None else next((facts.flow.find(name) for name in facts.flow.inputs(node)), None)
    if node is None or below is None or below.kind != "loss":
        return None
    factor = scalar(node) if op(node) in ("mul", "div") else None
    if op(node) != "neg" and not (factor is not None and factor < 0):
        return None
    return Suspect(
        "loss",
        f"backward runs on the negative of {below.op_type} ({below.name!r}), so training makes that loss larger",
        place(node),
        Fix("Remove the minus sign: optimizers minimize."),
        layer=node.name,
        confidence=0.99,
        evidence={"loss": below.op_type},
        op=node.op_type,
    )


def _likelihood(facts: "Facts", subject: str, bare: Layer) -> Suspect:
    node = facts.flow.find(subject) or bare
    return Suspect(
        "loss",
        f"backward runs on log-probabilities ({bare.name!r}) without a minus sign, so training makes the right answers "
        "less likely",
        place(node),
        Fix("Put a minus sign in front of the log-probabilities, or use F.nll_loss: optimizers minimize."),
        layer=node.name,
        confidence=0.97,
        evidence={"log_probabilities": bare.name},
        op=node.op_type,
    )
