"""Reasons that lie in what is reduced, masked or averaged: nothing, one element, an empty selection."""

from hypocenter.diagnose.case import Case, Reason
from hypocenter.diagnose.edits import edit, with_argument

#: Operations that divide by the number of elements. Losses average over samples or over targets.
_AVERAGES = frozenset(
    {"mean", "median", "nanmean", "mse", "l1loss", "smoothl1loss", "huberloss", "bce", "bcewithlogitsloss"}
)


def softmax(case: Case) -> Reason | None:
    """softmax over nothing but -inf is 0/0."""
    x = case.input
    if case.output["nan"] == 0 or (x.known and x["neginf"] == 0):
        return None
    width = x.shape[-1] if x.shape else None
    rows = f"{case.output['nan'] / width:.0f} rows" if width else f"{case.output['nan']:.0f} values"
    return Reason(
        "fully-masked-row",
        f"softmax over rows of nothing but -inf gives NaN: {rows} are masked completely "
        f"({x['neginf']:.0f} of {x['count']:.0f} scores are -inf)",
        "Leave at least one position of every row unmasked, mask with a large finite number such as "
        "torch.finfo(x.dtype).min, or set the result of such rows to 0.",
    )


def attention(case: Case) -> Reason | None:
    """Attention whose queries, keys and values are finite can only fail by its mask."""
    if case.output["nan"] == 0 or any(not stats.finite for stats in case.feeds if stats.kind != "input"):
        return None
    if any(stats["absmax"] > 1e18 for stats in case.feeds):  # the scores themselves would overflow float32
        return None
    return Reason(
        "fully-masked-row",
        f"attention with a row of its mask that excludes every position gives NaN: {case.output.what} outputs, "
        "although queries, keys and values are finite",
        "Leave at least one position of every row unmasked (a sample of nothing but padding has none).",
        confidence=0.85,
    )


def spread(case: Case) -> Reason | None:
    """The unbiased std or var of n elements divides by n - 1."""
    x, n = case.input, None
    if case.output["nan"] == 0 or not x.known:
        return None
    if case.output["count"]:
        n = x["count"] / case.output["count"]
    if n is None or n > 1:
        return None
    names = frozenset({"std", "var"})
    return Reason(
        "std-of-one",
        f"unbiased {case.op} of one element is 0/0, which is NaN: {x['count']:.0f} inputs give "
        f"{case.output['count']:.0f} results",
        f"Use correction=0, take {case.op} over more elements, or drop the last incomplete batch (drop_last=True).",
        edit=edit(case.site, with_argument(names, "correction=0")),
    )


def nothing(case: Case) -> Reason | None:
    """The mean of an empty tensor is 0/0. A selection has no row, so that emptiness shows by its result only."""
    if case.op not in _AVERAGES or case.output["nan"] == 0 or any(not stats.finite for stats in case.feeds):
        return None
    known = [stats for stats in case.data if stats.known]
    whole = f" (selected from {known[0].name!r}, {known[0]['count']:.0f} finite values)" if known else ""
    return Reason(
        "empty-mean",
        f"{case.op} of an empty tensor{whole} is 0/0, which is NaN",
        "Skip the term when the selection is empty, or divide its sum by the count with a minimum of 1.",
        confidence=0.85,
    )


def classes(case: Case) -> Reason | None:
    """Cross-entropy of finite logits can only fail by an average over nothing."""
    if case.output["nan"] == 0 or any(not stats.finite for stats in case.feeds):
        return None
    ignored = case.node.attributes.get("ignore_index", -100)
    return Reason(
        "all-ignored",
        f"the logits are finite ({case.input.span}), so the mean is over nothing: every target of the batch equals "
        f"ignore_index ({ignored}), or the weights of its classes are 0",
        "Skip batches without a target, or use reduction='sum' and divide by the number of targets, at least 1.",
        fault="labels",
        confidence=0.8,
    )


def ctc(case: Case) -> Reason | None:
    """CTC has no path when the target is longer than the input."""
    if case.output["posinf"] == 0 or any(not stats.finite for stats in case.data):
        return None
    return Reason(
        "ctc-no-path",
        "CTC loss is infinite: a target is longer than its input sequence allows",
        "Pass zero_infinity=True, and check the lengths of inputs and targets.",
        fault="data",
        confidence=0.8,
    )


def masked_product(case: Case) -> Reason | None:
    """0 * inf and inf - inf are NaN; the infinity here was meant as a mask."""
    masks = [stats for stats in case.data if stats.only_minus_infinity]
    zero = case.op == "mul"
    if zero and case.output["nan"] > 0 and {"inf", "-inf"}.intersection(map(str, case.node.attributes.get("args", ()))):
        return Reason(
            "zero-times-infinity",
            f"0 * inf is NaN: {case.output['nan']:.0f} of {case.output['count']:.0f} products of a number and infinity",
            "Build masks with masked_fill(mask, float('-inf')) or torch.where, not by multiplication.",
        )
    if case.output["nan"] == 0 or not masks:
        return None
    return Reason(
        "zero-times-infinity" if zero else "infinity-minus-infinity",
        f"{'0 * inf' if zero else 'inf - inf'} is NaN: {masks[0]['neginf']:.0f} elements of {masks[0].name!r} are -inf",
        "Select with torch.where or masked_fill instead of calculating with infinities.",
    )
