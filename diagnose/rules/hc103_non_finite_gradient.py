"""HC103: NaN or infinity made in the backward pass."""

from collections.abc import Iterable

from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.nonfinite import NonFiniteRule, forward_finding


class NonFiniteGradient(NonFiniteRule):
    """The forward pass and the loss are finite, but the backward pass gives NaN or infinity that reaches weights.

    ## What it does
    When a non-finite gradient reaches weights while the loss is finite, follows the bad gradients against the
    direction of backward to the node whose own gradient is finite and that hands a bad one on. The reason is worked
    out from the values of the forward pass: the derivative of sqrt, of a norm or of a power at 0, of acos at 1, or a
    bad value that torch.where hides from the loss but not from the gradient (0 * inf).

    ## Why it is bad
    The loss looks healthy while the weights are destroyed; the NaN loss of the next step has lost every trace of
    where it came from.

    ## Known problems
    Gradients that GradScaler or the program itself skips are not reported. A gradient that no tensor hook sees (inside
    a custom autograd function) is attributed to the layer around it.

    ## Example
    `distance = ((a - b) ** 2).sum(-1).sqrt()` for two equal points. Better: `(… .sum(-1) + 1e-12).sqrt()`.

    ## References
    PyTorch documentation, autograd mechanics: gradients for non-differentiable functions.
    """

    code = "HC103"
    name = "non-finite-gradient"
    fault = "numerics"
    severity = "error"
    summary = "The loss is finite, but the backward pass makes NaN or infinity that reaches weights."

    def check(self, facts: Facts) -> Iterable[Finding]:
        """One finding, at the origin."""
        origin = facts.origin
        if origin is not None and origin.where == "backward":
            yield forward_finding(self, origin, "backward")
