"""HC101: NaN or infinity made by a layer or operation of the model."""

from collections.abc import Iterable

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.nonfinite import NonFiniteRule, forward_finding


class NonFiniteActivation(NonFiniteRule):
    """A layer or operation of the model gives NaN or infinity although its inputs are finite.

    ## What it does
    Looks for the first harm that non-finite numbers do (in the loss, in gradients that reach weights, in weights, in
    what the model returns) and follows it upstream through bad values only, to the first node whose inputs are finite
    and whose output is not. The operation and the recorded range of its inputs tell the reason: the logarithm of 0,
    a division by 0, a row of attention scores that is masked completely, an overflow of exp or of float16, and so on.

    ## Why it is bad
    NaN spreads: one value makes the loss NaN, the loss makes every gradient NaN, and one step of the optimizer makes
    every weight NaN. Nothing is learned from then on.

    ## Known problems
    -inf that masks (masked_fill, where, an additive mask) is not accused unless NaN comes of it. A selection
    (`x[mask]`) has no statistics of its own, so that the reason of an operation behind it is worked out from the whole
    tensor. With `--every N` the step is the first recorded one.

    ## Example
    `entropy = -(p * torch.log(p)).sum(-1)` with a probability that underflows to 0. Better:
    `-(p * torch.log_softmax(logits, -1)).sum(-1)`.

    ## References
    IEEE 754-2019, section 7 (invalid operation, division by zero, overflow).
    """

    code = "HC101"
    name = "non-finite-activation"
    fault = "numerics"
    severity = "error"
    summary = "A layer or operation of the model makes NaN or infinity from finite inputs."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One finding, at the origin."""
        origin = facts.origin
        if origin is None or origin.where != "forward" or _in_loss(facts):
            return
        yield forward_finding(self, origin, "forward")


def _in_loss(facts: Facts) -> bool:
    origin = facts.origin
    return origin is not None and origin.node is not None and origin.node.name in facts.flow.after_model
