"""Reasons of operations that are not defined, or infinite, for some arguments: log, division, roots, powers, acos."""

from hypocenter.diagnose.case import Case, Reason
from hypocenter.diagnose.edits import clamp_denominator, clamp_operand, edit
from hypocenter.diagnose.stats import Stats, number

#: A probability is missing its sigmoid or softmax when this share of log's arguments is negative; a convention:
#: rounding makes a few arguments negative, a missing activation about half of them.
MANY_NEGATIVE = 0.1


def _share(stats: Stats, statistic: str) -> str:
    return f"{stats[statistic]:.0f} of its {stats['count']:.0f} inputs"


def _are(stats: Stats, statistic: str) -> str:
    return f"{_share(stats, statistic)} {'is' if stats[statistic] == 1 else 'are'}"


def log(case: Case) -> Reason | None:
    """log(0) is -inf, log of a negative number is NaN."""
    x = case.input
    floor = f"{case.tiny:.0e}".replace("e-0", "e-")
    names = frozenset({case.op})
    if x["negatives"] > 0:
        maker = case.moment.flow.find(x.name)
        if maker is not None and maker.kind == "layer" and x["negatives"] > MANY_NEGATIVE * x["count"]:
            return Reason(
                "log-of-logits",
                f"logarithm of raw outputs of {maker.name!r}, {x.span}: {_are(x, 'negatives')} negative",
                "Apply softmax or sigmoid before the logarithm, or use log_softmax or logsigmoid on the raw outputs.",
                fault="activation",
                confidence=0.8,
            )
        return Reason(
            "log-of-negative",
            f"logarithm of a negative number, which is NaN: {_are(x, 'negatives')} negative, {x.span}",
            f"Keep the argument of {case.op} positive, for example with clamp_min({floor}).",
            edit=edit(case.site, clamp_operand(names, floor)),
        )
    if x["zeros"] > 0:
        return Reason(
            "log-of-zero",
            f"logarithm of 0, which is -inf: {_are(x, 'zeros')} 0, {x.span}",
            f"Keep the argument of {case.op} above 0, for example with clamp_min({floor}), or use a function that "
            "works on logits (log_softmax, logsigmoid, cross_entropy).",
            edit=edit(case.site, clamp_operand(names, floor)),
        )
    return None


def log1p(case: Case) -> Reason | None:
    """log1p(-1) is -inf, below it NaN."""
    x = case.input
    if not x.known or x["min"] > -1:
        return None
    value = "-inf" if x["min"] == -1 else "NaN"
    return Reason(
        "log1p-at-minus-one",
        f"log1p of numbers down to {number(x['min'])}; at -1 it is -inf, below it NaN, here {value}",
        "Keep the argument of log1p above -1, for example with clamp_min(-1 + 1e-6).",
    )


def division(case: Case) -> Reason | None:
    """x / 0 is infinite, 0 / 0 is NaN."""
    numerator, denominator = _fraction(case)
    if denominator is None:
        if case.scalar("other") != 0:
            return None
        return Reason("division-by-zero", "division by the number 0", "Divide by a number that is not 0.")
    if not denominator.known and denominator is not numerator:
        return _count_of_zero(case, denominator)
    if not denominator.known or (denominator["zeros"] == 0 and not denominator["subnormals"] > 0):
        return None
    both = case.output["nan"] > 0
    zeros = f"{denominator['zeros']:.0f} of {denominator['count']:.0f} denominators {denominator.name!r} are 0"
    where = "0/0, which is NaN" if both else "division by 0, which is infinite"
    positive = denominator["negatives"] == 0
    floor = f"{case.tiny:.0e}".replace("e-0", "e-")
    advice = f"for example with clamp_min({floor})" if positive else "or select the other elements first"
    top = f"; numerators {numerator.span}" if numerator is not None and numerator.known else ""
    return Reason(
        "zero-by-zero" if both else "division-by-zero",
        f"{where}: {zeros}{top}",
        f"Keep the denominator away from 0, {advice}.",
        edit=edit(case.site, clamp_denominator(floor)) if positive else None,
    )


def _count_of_zero(case: Case, denominator: Stats) -> Reason | None:
    """A denominator of integers has no statistics; finite numerators leave no other reason than 0."""
    if denominator.dtype is None or denominator.dtype.startswith(("float", "bfloat")):
        return None
    both = case.output["nan"] > 0
    return Reason(
        "zero-by-zero" if both else "division-by-zero",
        f"{'0/0, which is NaN' if both else 'division by 0, which is infinite'}: the count {denominator.name!r} is 0",
        "Give the count a minimum of 1, for example with clamp_min(1), or leave such batches out.",
        edit=edit(case.site, clamp_denominator("1")),
    )


def _fraction(case: Case) -> tuple[Stats | None, Stats | None]:
    """Numerator and denominator; None for a plain number."""
    data = case.data
    if case.op in ("rdiv", "reciprocal") or (len(data) == 1 and case.scalar("other") is None):
        # One tensor and no number left: x / x, or the number stands above the line.
        return (data[0] if case.op == "div" and data else None), (data[0] if data else None)
    return (data[0], data[1]) if len(data) > 1 else (data[0] if data else None, None)


def root(case: Case) -> Reason | None:
    """The square root of a negative number is NaN; 1/sqrt(0) is infinite."""
    x = case.input
    if x["negatives"] > 0:
        tiny = abs(x["min"]) < 1e-3 * max(x["absmax"], 1e-30)
        why = "; rounding made them negative" if tiny else ""
        return Reason(
            "root-of-negative",
            f"square root of a negative number, which is NaN: {_are(x, 'negatives')} negative, {x.span}{why}",
            f"Keep the argument of {case.op} at or above 0, for example with clamp_min(1e-12).",
            edit=edit(case.site, clamp_operand(frozenset({case.op}), "1e-12")),
        )
    if case.op == "rsqrt" and x["zeros"] > 0:
        return Reason(
            "division-by-zero",
            f"1 / sqrt(0), which is infinite: {_are(x, 'zeros')} 0",
            "Add a small number (1e-5 is usual in normalization) to the argument of rsqrt.",
            edit=edit(case.site, clamp_operand(frozenset({"rsqrt"}), "1e-5")),
        )
    return None


def power(case: Case) -> Reason | None:
    """A negative base with a broken exponent is NaN; zero to a negative exponent is infinite."""
    base, exponent = case.input, case.scalar("exponent")
    broken = exponent is None or exponent != round(exponent)
    shown = "a broken exponent" if exponent is None else f"the exponent {number(exponent)}"
    if base["negatives"] > 0 and broken and case.output["nan"] > 0:
        return Reason(
            "power-of-negative",
            f"negative base with {shown}, which is NaN: {_are(base, 'negatives')} negative, {base.span}",
            "Keep the base at or above 0, for example with clamp_min(0) or abs().",
        )
    if base["zeros"] > 0 and (exponent is None or exponent < 0) and case.output["posinf"] > 0:
        return Reason(
            "power-of-zero",
            f"0 to {shown}, which is infinite: {_are(base, 'zeros')} 0",
            "Keep the base away from 0, for example with clamp_min(1e-8).",
        )
    return None


_DOMAINS = {
    "acos": (-1.0, 1.0, True),
    "asin": (-1.0, 1.0, True),
    "atanh": (-1.0, 1.0, False),
    "erfinv": (-1.0, 1.0, False),
    "logit": (0.0, 1.0, False),
    "acosh": (1.0, float("inf"), True),
}


def domain(case: Case) -> Reason | None:
    """Functions that are defined on an interval only."""
    low, high, closed = _DOMAINS[case.op]
    x = case.input
    if not x.known or (low < x["min"] and x["max"] < high) or (closed and low <= x["min"] and x["max"] <= high):
        return None
    interval = f"{'[' if closed else '('}{number(low)}, {number(high)}{']' if closed else ')'}"
    return Reason(
        "outside-domain",
        f"{case.op} is finite only on {interval}, its inputs lie {x.span}",
        f"Clamp the argument of {case.op} a little inside {interval}.",
    )


def probabilities(case: Case) -> Reason | None:
    """Binary cross-entropy takes logarithms of p and 1 - p."""
    x = case.input
    if not x.known or (x["min"] >= 0 and x["max"] <= 1):
        return None
    return Reason(
        "not-probabilities",
        f"binary cross-entropy of numbers that are no probabilities, {x.span}",
        "Use binary_cross_entropy_with_logits (BCEWithLogitsLoss) on the raw outputs, or apply sigmoid first.",
        fault="loss",
    )
