"""What an executor offers so that a plan can be applied to what runs."""

from typing import Protocol

from hypocenter.rewrite.plan import Decision, Plan


class Target(Protocol):
    """Something that executes a graph and can watch its values: modules, a graph of another framework, a session."""

    def attach(self, value: str) -> str | None:
        """Starts watching the value; returns None, or why it cannot, in a few words."""

    def detach(self, value: str) -> None:
        """Stops watching the value and leaves nothing behind; a value that is not watched is no error."""


def apply_plan(plan: Plan, target: Target) -> Plan:
    """Attaches every planned value; returns the plan as it came true, with the target's refusals as reasons.

    When an attachment raises, those made before are detached again.
    """
    decisions: list[Decision] = []
    try:
        for decision in plan:
            refusal = target.attach(decision.value) if decision.probe else None
            decisions.append(decision if refusal is None else Decision(decision.value, False, refusal))
    except BaseException:  # an interrupt must not leave probes behind either
        withdraw_plan(Plan(tuple(decisions)), target)
        raise
    return Plan(tuple(decisions))


def withdraw_plan(plan: Plan, target: Target) -> None:
    """Detaches every value that the plan watches."""
    for value in plan.values:
        target.detach(value)
