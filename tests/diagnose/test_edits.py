import pytest

from hypocenter.diagnose.edits import clamp_denominator, clamp_operand, edit, with_argument
from hypocenter.ir.site import Site

LOG = clamp_operand(frozenset({"log"}), "1e-8")
DIV = clamp_denominator("1e-8")
STD = with_argument(frozenset({"std"}), "correction=0")


def change(rewrite, part, line=None, **fields):
    line = line or f"    value = {part}"
    start = line.index(part) + 1
    place = Site("t.py", 3, 3, start, start + len(part), snippet=line, **fields)
    found = edit(place, rewrite)
    return None if found is None else found.new


@pytest.mark.parametrize(
    ("rewrite", "old", "new"),
    [
        (LOG, "torch.log(p)", "torch.log(p.clamp_min(1e-8))"),
        (LOG, "torch.log(1 - p)", "torch.log((1 - p).clamp_min(1e-8))"),
        (LOG, "torch.log(p[:, 0])", "torch.log(p[:, 0].clamp_min(1e-8))"),
        (LOG, "torch.log(f(größe))", "torch.log(f(größe).clamp_min(1e-8))"),
        (LOG, "p.log()", "p.clamp_min(1e-8).log()"),
        (LOG, "(a + b).log()", "(a + b).clamp_min(1e-8).log()"),
        (LOG, "torch.sqrt(p)", None),
        (LOG, "torch.log(p, out=q)", None),
        (LOG, "model.log(p)", None),  # a method of something else that takes an argument
        (LOG, "log(p)", None),
        (DIV, "a / b", "a / b.clamp_min(1e-8)"),
        (DIV, "(a - c) / (b + d)", "(a - c) / (b + d).clamp_min(1e-8)"),
        (DIV, "a / b ** 2", "a / (b ** 2).clamp_min(1e-8)"),
        (DIV, "größe / b.sum()", "größe / b.sum().clamp_min(1e-8)"),
        (DIV, "a / 0", None),
        (DIV, "a // b", None),
        (STD, "x.std()", "x.std(correction=0)"),
        (STD, "x.std(dim=0, keepdim=True)", "x.std(dim=0, keepdim=True, correction=0)"),
        (STD, "torch.std(x, 0)", "torch.std(x, 0, correction=0)"),
        (STD, "x.std(unbiased=True)", None),
        (STD, "x.std(**how)", None),
    ],
)
def test_rewriting(rewrite, old, new):
    assert change(rewrite, old) == new


def test_the_edit_names_the_place():
    found = edit(Site("t.py", 3, 3, 6, 12, snippet="x = p.log()"), LOG)
    assert found is None  # the span does not hold the expression
    found = edit(Site("t.py", 3, 3, 5, 12, snippet="x = p.log()"), LOG)
    assert (found.file, found.line, found.old) == ("t.py", 3, "p.log()")


@pytest.mark.parametrize(
    ("part", "line", "fields"),
    [
        ("p.log()", "a = p.log() + p.log()", {}),  # which of the two?
        ("p.log()", "a = p.log()", {"library": True}),
    ],
)
def test_where_it_is_not_sure(part, line, fields):
    assert change(LOG, part, line, **fields) is None


def test_sites_without_a_span():
    assert edit(None, LOG) is None
    assert edit(Site("t.py", 3, snippet="p.log()"), LOG) is None
    assert edit(Site("t.py", 3, 4, 1, 5, snippet="p.log("), LOG) is None
