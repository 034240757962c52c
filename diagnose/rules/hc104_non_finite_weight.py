"""HC104: weights that went bad by the update, or were bad from the start."""

from collections.abc import Iterable

from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.diagnose.localization import Origin
from hypocenter.diagnose.nonfinite import NonFiniteRule, finding
from hypocenter.diagnose.optimizers import Optimizer
from hypocenter.diagnose.stats import number


class NonFiniteWeight(NonFiniteRule):
    """Weights became NaN or infinite although their gradients were finite, or were so before the first step.

    ## What it does
    Reports the first parameter with NaN or infinity when the step that made it so had finite gradients: the optimizer
    itself did it (a learning rate that overflows, an `eps` of 0 in Adam or RMSprop, which divides 0 by 0 where a
    gradient is 0), or the program wrote to the weights. Parameters that are bad before any update were initialised so.

    ## Why it is bad
    Every later forward pass uses them.

    ## Known problems
    With `--every N` the gradient of the step in question may not have been recorded.

    ## Example
    `torch.optim.Adam(model.parameters(), eps=0)` with a unit that is dead for every sample of a batch.

    ## References
    D. Kingma, J. Ba: Adam: a method for stochastic optimization, ICLR 2015, algorithm 1.
    """

    code = "HC104"
    name = "non-finite-weight"
    fault = "optimizer"
    severity = "error"
    summary = "Weights become NaN or infinite by the update itself, or are so from the start."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One finding, at the parameter."""
        origin = facts.origin
        if origin is None:
            return
        if origin.where == "initial":
            yield self._initial(origin)
        elif origin.where == "update":
            yield self._updated(facts, origin)

    def _initial(self, origin: Origin) -> Finding:
        weight = origin.moment.value(origin.subject)
        return finding(
            self,
            origin,
            phase="static",
            fault="initialization",
            message=f"the parameter {origin.subject!r} has {weight.what} values before the first update.",
            site=place(origin.node),
            fix=Fix(
                f"Initialise {origin.subject!r}: torch.empty leaves whatever the memory held, and a fan-in of 0 or a "
                "damaged checkpoint gives NaN."
            ),
            confidence=0.9,
            evidence={"parameter": origin.subject, "weight": weight.to_dict()},
        )

    def _updated(self, facts: Facts, origin: Origin) -> Finding:
        optimizer = _owner(facts, origin.subject)
        gradient = origin.moment.gradient(origin.subject)
        name = "the update" if optimizer is None else f"the {optimizer.name} update"
        came = "" if gradient is None else f" from a finite gradient (up to {number(gradient['absmax'])})"
        eps = None if optimizer is None else optimizer.setting("eps")
        if eps == 0 and gradient is not None and gradient["zeros"] > 0:
            zeros = f"{gradient['zeros']:.0f} of {gradient['count']:.0f}"
            text = f": eps is 0, and {zeros} gradients are 0, so it divides 0 by 0"
            fix, setting, sure = Fix("Leave eps at its default of 1e-8."), "eps", 0.95
        else:
            rate = (
                "" if optimizer is None or optimizer.lr is None else f" with the learning rate {number(optimizer.lr)}"
            )
            text, setting, sure = rate, "lr", 0.5
            fix = Fix("Look at the optimizer's settings at this step, and at code that writes to the weights.")
        return finding(
            self,
            origin,
            phase="update",
            fault=self.fault,
            message=f"{name} made {origin.subject!r} non-finite at step {origin.step}{came}{text}.",
            site=place(origin.node) if optimizer is None else optimizer.where(setting),
            fix=fix,
            confidence=sure,
            evidence={
                "parameter": origin.subject,
                "gradient": None if gradient is None else gradient.to_dict(),
                "optimizer": None if optimizer is None else optimizer.name,
            },
        )


def _owner(facts: Facts, parameter: str) -> Optimizer | None:
    """The optimizer that has a parameter, or the only one."""
    for optimizer in facts.optimizers:
        if any(parameter in (group.get("parameters") or ()) for group in optimizer.groups):
            return optimizer
    return facts.optimizers[0] if len(facts.optimizers) == 1 else None
