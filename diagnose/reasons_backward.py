"""Reasons of gradients: derivatives that are infinite at the edge of an operation's domain."""

from hypocenter.diagnose.case import Case, Reason
from hypocenter.diagnose.edits import clamp_operand, edit
from hypocenter.diagnose.ops import op
from hypocenter.diagnose.stats import number
from hypocenter.ir.graph import Layer

_HIDING = frozenset({"where", "mul", "maskedfill", "nantonum", "clamp", "getitem", "maskedselect", "index"})
_SELECT = (
    "Change the argument before the operation, so that it is safe also where its result is not used: "
    "torch.where(mask, x, 1), then the operation, then the selection."
)


def _hidden_by(case: Case) -> Layer | None:
    """The operation downstream that keeps a bad forward value out of the loss, if there is one."""
    readers = case.moment.flow.consumers(case.output.name)
    return next((node for node in readers if op(node) in _HIDING or node.kind == "movement"), None)


def hidden(case: Case) -> Reason | None:
    """A bad forward value that torch.where or a mask hides: its gradient is 0 * inf."""
    hider = _hidden_by(case)
    if hider is None or case.output.finite:
        return None
    return Reason(
        "masked-backward",
        f"{case.output.what} outputs are not finite; {op(hider)} hides them from the loss, but not from the gradient, "
        f"where they give 0 * inf = NaN (inputs {case.input.span})",
        _SELECT,
    )


def root(case: Case) -> Reason | None:
    """The derivative of sqrt at 0 is infinite."""
    x = case.input
    if x["zeros"] == 0:
        return None
    hider = _hidden_by(case)
    behind = f"; {op(hider)} discards those results, but 0 * inf is NaN" if hider is not None else ""
    return Reason(
        "root-at-zero",
        f"the derivative of {case.op} at 0 is infinite: {x['zeros']:.0f} of its {x['count']:.0f} inputs "
        f"{'is' if x['zeros'] == 1 else 'are'} 0{behind}",
        f"Keep the argument of {case.op} above 0, for example with clamp_min(1e-12).",
        edit=edit(case.site, clamp_operand(frozenset({case.op}), "1e-12")),
    )


def power(case: Case) -> Reason | None:
    """The derivative of x**p at 0 is infinite for p < 1."""
    x, exponent = case.input, case.scalar("exponent")
    if x["zeros"] == 0 or (exponent is not None and exponent >= 1):
        return None
    shown = "an exponent below 1" if exponent is None else f"exponent {number(exponent)}"
    zeros = f"{x['zeros']:.0f} of its {x['count']:.0f} bases are 0"
    return Reason(
        "power-at-zero",
        f"the derivative of a power with {shown} is infinite at 0: {zeros}",
        "Keep the base above 0, for example with clamp_min(1e-8).",
    )


def norm(case: Case) -> Reason | None:
    """A norm has no derivative where its argument is 0."""
    if not case.output.known or case.output["zeros"] == 0:
        return None
    zeros = f"{case.output['zeros']:.0f} of {case.output['count']:.0f} results"
    return Reason(
        "norm-at-zero",
        f"the gradient of {case.op} is 0/0 where it is 0: {zeros}",
        "Add a small number under the root: torch.sqrt((x * x).sum(dim) + 1e-12).",
    )


def edge(case: Case) -> Reason | None:
    """acos and asin have infinite derivatives at -1 and 1."""
    x = case.input
    if x["absmax"] < 1 - 1e-7:
        return None
    return Reason(
        "edge-of-domain",
        f"the derivative of {case.op} is infinite at -1 and 1; its inputs lie {x.span}",
        f"Clamp the argument of {case.op} to [-1 + 1e-6, 1 - 1e-6].",
    )


def overflow(case: Case) -> Reason | None:
    """A gradient that outgrew its format."""
    gradient = case.moment.gradient(case.output.name)
    if gradient is None or not gradient.finite or gradient["absmax"] < 1e15:
        return None
    return Reason(
        "gradient-overflow",
        f"the gradient that comes in is already huge, up to {number(gradient['absmax'])}, and overflows",
        "Clip gradients (torch.nn.utils.clip_grad_norm_), and find what makes them grow.",
        confidence=0.6,
    )
