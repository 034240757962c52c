"""HC106: values that grew from step to step until they overflowed."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hypocenter.diagnose.blowup import BlowUp, blow_up
from hypocenter.diagnose.causes import Cause
from hypocenter.diagnose.dataflow import place
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.diagnose.nonfinite import NonFiniteRule, layer_name
from hypocenter.diagnose.stats import number


class ValuesBlowUp(NonFiniteRule):
    """Values outgrew what training does, and overflowed.

    ## What it does
    When non-finite values did harm, looks back: which layer, at which step, left its normal growth first. If values
    had grown by orders of magnitude before, the overflow is only the end of it, and the cause is told apart by how
    far each suspect lies above what is usual: the learning rate, the scale of the inputs, the scale of the targets, the
    scale of the initial weights, a loss that is summed over the batch.

    ## Why it is bad
    Training diverges; the layer in which the overflow shows is not to blame, and repairing it there hides the cause.

    ## Known problems
    When every suspect is usual, the learning rate is accused with low confidence. A recurrent network whose gradients
    explode looks like a learning rate that is too large.

    ## Example
    `torch.optim.SGD(model.parameters(), lr=10)`.

    ## References
    K. He et al.: Delving deep into rectifiers, 2015 (initialization). Y. LeCun et al.: Efficient backprop, 1998
    (largest learning rate, normalisation of inputs). The usual values: `hypocenter.diagnose.causes`.
    """

    code = "HC106"
    name = "values-blow-up"
    fault = "learning_rate"
    severity = "error"
    summary = "Values grow over steps or layers until they overflow."
    explains = (*NonFiniteRule.explains, "HC101", "HC102", "HC103", "HC104")

    def absorbs(self, own: Finding, other: Finding) -> bool:
        """Everything that a diverging training shows, whenever it shows."""
        return own is not other and other.severity != "note" and other.rule.startswith(self.explains)

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One finding: the first layer and step of the growth, the line of its cause."""
        found = blow_up(facts)
        if found is None or facts.origin is None:
            return
        cause = found.causes[0] if found.causes else _default(facts)
        layer = cause.layer if cause.fault == "initialization" and cause.layer is not None else found.layer
        yield Finding(
            self.code,
            self.name,
            self.severity,
            cause.fault,
            found.confidence,
            layer_name(layer),
            "update" if cause.fault in ("learning_rate", "loss") else "forward",
            cause.site or place(layer),
            _message(found, cause, facts),
            _evidence(found, cause, facts),
            cause.fix,
            None if layer is None else layer.op_type,
            found.step,
            tuple(other.site for other in found.causes[1:] if other.site is not None),
        )


def _default(facts: Facts) -> Cause:
    """No setting is unusual: the learning rate is too large for this model all the same."""
    optimizer = facts.optimizers[0] if facts.optimizers else None
    rate = None if optimizer is None else optimizer.lr
    shown = "the learning rate" if rate is None else f"the learning rate {number(rate)}"
    return Cause(
        "learning_rate",
        0.0,
        f"no setting is unusual, so {shown} is too large for this model",
        Fix("Lower the learning rate by a factor of 10, or clip gradients (torch.nn.utils.clip_grad_norm_)."),
        None if optimizer is None else optimizer.where("lr"),
    )


def _message(found: BlowUp, cause: Cause, facts: Facts) -> str:
    name = layer_name(found.layer)
    if found.step == 0:
        grew = f"the outputs of {name!r} reached {number(found.after)} in the first step"
    else:
        grew = f"the outputs of {name!r} grew from {number(found.before)} to {number(found.after)} by step {found.step}"
    harm = facts.origin.harm.text if facts.origin is not None else ""
    updates = ""
    if np.isfinite(found.update_ratio) and found.update_ratio > 0:
        updates = f" (largest update {number(found.update_ratio)} of the weights' norm)"
    return f"Values blew up: {grew}{updates}, and {harm}. {cause.text[:1].upper()}{cause.text[1:]}."


def _evidence(found: BlowUp, cause: Cause, facts: Facts) -> dict[str, Any]:
    ratio = found.update_ratio if np.isfinite(found.update_ratio) else None
    loss = [value for value in facts.loss.value[:8].tolist() if np.isfinite(value)]
    return {
        "harm": facts.origin.harm.text if facts.origin is not None else None,
        "before": found.before,
        "after": found.after if np.isfinite(found.after) else None,
        "peak": found.peak,
        "largest_update_ratio": ratio,
        "first_losses": loss,
        **cause.evidence,
        "suspects": [{"fault": other.fault, "excess": min(other.excess, 308.0)} for other in found.causes],
    }
