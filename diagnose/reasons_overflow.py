"""Reasons of values too large for their format."""

import math

from hypocenter.diagnose.case import Case, Reason
from hypocenter.diagnose.stats import Stats, number

#: Weights or inputs of at least this magnitude are themselves the trouble: trained weights and normalised
#: activations are of order 1, and even raw data rarely reaches it.
HUGE = 1e8


def _format(stats: Stats) -> str:
    return f"{stats.dtype or 'float32'} ends at {number(stats.largest)}"


def exponential(case: Case) -> Reason | None:
    """exp overflows at log(largest): 88.7 in float32, 11.1 in float16."""
    x, limit = case.input, math.log(case.output.largest)
    if not x.known or x["max"] < min(limit, 709.0):
        return None
    return Reason(
        "exp-overflow",
        f"exp of up to {number(x['max'])} overflows: {_format(case.output)}, which is exp({number(limit)})",
        "Subtract the maximum before exp, or use softmax, log_softmax, logsumexp or softplus, which do so.",
    )


def power(case: Case) -> Reason | None:
    """|x| to the power p overflows where p * log|x| exceeds log(largest)."""
    x = case.input
    exponent = 2.0 if case.op in ("square", "mse", "norm") else case.scalar("exponent")
    if not x.known or exponent is None or case.output["posinf"] + case.output["nan"] == 0:
        return None
    base = max(stats["absmax"] for stats in case.data)
    if base <= 1 or exponent * math.log(base) < math.log(case.output.largest) - 1:
        return None
    shown = number(base)
    return Reason(
        "power-overflow",
        f"{shown} to the power {number(exponent)} overflows: {_format(case.output)}",
        "Scale the values down before raising them to a power (normalise inputs and targets).",
        confidence=0.8,
    )


def half(case: Case) -> Reason | None:
    """Any operation whose result leaves float16's short range."""
    if case.output.dtype != "float16" or case.output["posinf"] + case.output["neginf"] + case.output["nan"] == 0:
        return None
    if all(stats["absmax"] < 16 for stats in case.feeds if stats.known):  # 16 * 16 * 256 terms = 65536
        return None
    x = case.largest_input
    return Reason(
        "half-overflow",
        f"the result does not fit into float16, which ends at 65504; {x.name!r} reaches {number(x['absmax'])}",
        "Compute this in float32 or bfloat16 (torch.autocast with dtype=torch.bfloat16, or .float() before it).",
        confidence=0.85,
    )


def huge(case: Case) -> Reason | None:
    """Sums and products of values that were huge before."""
    x = case.largest_input
    if x["absmax"] < HUGE:
        return None
    what = "weights" if x.kind == "parameter" else "values"
    return Reason(
        "huge-inputs",
        f"{what} {x.name!r} were already huge, up to {number(x['absmax'])}, and the result overflows: "
        f"{_format(case.output)}",
        "Find what made them grow: the learning rate, the scale of the data, or the initial weights.",
        confidence=0.6,
    )
