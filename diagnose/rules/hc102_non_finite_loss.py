"""HC102: NaN or infinity made by the loss."""

from collections.abc import Iterable

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.nonfinite import NonFiniteRule, forward_finding


class NonFiniteLoss(NonFiniteRule):
    """The loss function, or the expression that computes the loss, gives NaN or infinity from finite predictions.

    ## What it does
    As HC101, when the first bad node is a loss function or an operation behind the model's outputs.

    ## Why it is bad
    The gradient of a NaN loss is NaN for every weight; the optimizer's next step destroys the model.

    ## Known problems
    In a model whose outputs feed another model, operations between the two count as loss when they stand outside
    any module. An infinite scaled loss that GradScaler skips is not reported.

    ## Example
    `loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()` when p reaches 0 or 1. Better:
    `F.binary_cross_entropy_with_logits(logits, y)`.

    ## References
    P. Blanchard, D. Higham, N. Higham: Accurately computing the log-sum-exp and softmax functions, 2021.
    """

    code = "HC102"
    name = "non-finite-loss"
    fault = "numerics"
    severity = "error"
    summary = "The loss makes NaN or infinity from finite predictions."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One finding, at the origin."""
        origin = facts.origin
        if origin is None or origin.where != "forward" or origin.node is None:
            return
        if origin.node.name in facts.flow.after_model:
            yield forward_finding(self, origin, "loss")
