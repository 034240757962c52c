"""Why an operation gave a bad value: worked out from the operation and the recorded statistics of what went in."""

from collections.abc import Callable, Mapping
from typing import Final

from hypocenter.diagnose import reasons_backward as backward
from hypocenter.diagnose import reasons_domain as domain
from hypocenter.diagnose import reasons_overflow as overflow
from hypocenter.diagnose import reasons_structure as structure
from hypocenter.diagnose.case import Case, Reason
from hypocenter.diagnose.localization import Origin

Explain = Callable[[Case], Reason | None]

_FORWARD: Final[Mapping[str, tuple[Explain, ...]]] = {
    "log": (domain.log,),
    "log2": (domain.log,),
    "log10": (domain.log,),
    "log1p": (domain.log1p,),
    "xlogy": (domain.log,),
    "div": (domain.division,),
    "rdiv": (domain.division,),
    "reciprocal": (domain.division,),
    "sqrt": (domain.root,),
    "rsqrt": (domain.root,),
    "pow": (domain.power, overflow.power),
    "square": (overflow.power,),
    "mse": (overflow.power,),
    "norm": (overflow.power,),
    "exp": (overflow.exponential,),
    "poissonnllloss": (overflow.exponential,),
    "expm1": (overflow.exponential,),
    "cosh": (overflow.exponential,),
    "sinh": (overflow.exponential,),
    "acos": (domain.domain,),
    "asin": (domain.domain,),
    "atanh": (domain.domain,),
    "acosh": (domain.domain,),
    "erfinv": (domain.domain,),
    "logit": (domain.domain,),
    "bce": (domain.probabilities,),
    "softmax": (structure.softmax,),
    "logsoftmax": (structure.softmax,),
    "attention": (structure.attention,),
    "std": (structure.spread,),
    "var": (structure.spread,),
    "crossentropy": (structure.classes,),
    "nll": (structure.classes,),
    "ctc": (structure.ctc,),
    "mul": (structure.masked_product, overflow.power),
    "add": (structure.masked_product,),
    "sub": (structure.masked_product,),
}
#: Tried after those of the operation.
_ANY: Final[tuple[Explain, ...]] = (structure.nothing, overflow.half, overflow.huge)

_BACKWARD: Final[Mapping[str, tuple[Explain, ...]]] = {
    "sqrt": (backward.root,),
    "rsqrt": (backward.root,),
    "pow": (backward.power,),
    "norm": (backward.norm,),
    "dist": (backward.norm,),
    "cdist": (backward.norm,),
    "std": (backward.norm,),
    "acos": (backward.edge,),
    "asin": (backward.edge,),
    "atanh": (backward.edge,),
}
_ANY_BACKWARD: Final[tuple[Explain, ...]] = (backward.overflow, overflow.half)


def reason_of(origin: Origin) -> Reason | None:
    """The reason of an origin in a forward or backward pass; None when the numbers do not tell one."""
    if origin.node is None or origin.where not in ("forward", "backward"):
        return None
    case = Case(origin, origin.node)
    if origin.where == "backward":
        tried = (backward.hidden, *_BACKWARD.get(case.op, ()), *_ANY_BACKWARD)
    else:
        tried = (*_FORWARD.get(case.op, ()), *_ANY)
    return next((reason for explain in tried if (reason := explain(case)) is not None), None)
