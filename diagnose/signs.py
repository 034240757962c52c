"""What the expression of a loss tells of its sign: whether zero is the least that it can have."""

from typing import TYPE_CHECKING, Final

from hypocenter.diagnose.ops import op, scalar
from hypocenter.diagnose.tensors import Series
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Operations whose values are never negative, whatever goes in.
_POSITIVE: Final = frozenset(
    {"abs", "exp", "square", "relu", "softplus", "sigmoid", "softmax", "norm", "vectornorm", "dist", "sqrt", "var",
     "std"}
)  # fmt: skip
#: Logarithms of probabilities: never positive.
_NEGATIVE: Final = frozenset({"logsoftmax", "logsigmoid"})
#: Losses of the library that may be negative.
_SIGNED: Final = frozenset({"poissonnll", "poissonnllloss", "gaussiannll", "gaussiannllloss"})
#: Operations that keep the order of values, apart from a factor.
_SUMMARIES: Final = frozenset({"mean", "sum", "mul", "div"})
#: Expressions deeper than this are not followed.
_DEEPEST: Final = 32


def never_negative(facts: "Facts", subject: str) -> bool:
    """Whether a loss cannot be below zero, so that its level says how much is left to learn.

    The level of others (the likelihood of a density, a difference of two terms) has no such meaning.
    """
    return _sign(facts, subject, 0) > 0


def log_likelihood(facts: "Facts", subject: str) -> Layer | None:
    """The log-softmax of which a loss is the mean or sum, without the minus sign that it should have; else None."""
    name: str | None = subject
    for _ in range(_DEEPEST):
        node = _maker(facts, name)
        if node is None:
            return None
        if op(node) == "logsoftmax":
            return node
        factor = scalar(node) if op(node) in ("mul", "div") else 1.0
        if op(node) not in _SUMMARIES or factor is None or factor <= 0 or len(_operands(node)) != 1:
            return None
        name = node.inputs[0]
    return None


def _maker(facts: "Facts", name: str | None) -> Layer | None:
    """The node that computed a value, behind views and selections of it."""
    node = facts.flow.find(name)
    while node is not None and node.kind == "movement" and node.inputs:
        node = facts.flow.find(node.inputs[0])
    return node


def _operands(node: Layer) -> list[str]:
    return [name for name in node.inputs if name is not None]


def _sign(facts: "Facts", name: str, depth: int) -> int:
    """1 for never negative, -1 for never positive, 0 for unknown."""
    node = _maker(facts, name)
    if node is None or depth > _DEEPEST:
        return _seen(facts.targets.get(name, facts.inputs.get(name)))
    kind, operands = op(node), _operands(node)
    if node.kind == "loss":
        return 0 if kind in _SIGNED else 1
    if kind in _POSITIVE or (kind == "pow" and (scalar(node) or 1.0) % 2 == 0):
        return 1
    if kind in _NEGATIVE:
        return -1
    if kind == "log":
        return _seen(facts.forward.get(node.name))
    if kind in ("mul", "div") and len(operands) == 2 and operands[0] == operands[1]:
        return 1
    signs = [_sign(facts, operand, depth + 1) for operand in operands]
    return _combined(kind, signs, scalar(node))


def _combined(kind: str, signs: list[int], number: float | None) -> int:
    """The sign of what an operation makes of values of these signs, and of a number where only one value goes in."""
    if not signs:
        return 0
    first, alone = signs[0], len(signs) == 1
    if kind == "neg" and alone:
        return -first
    if kind in ("mean", "sum") and alone:
        return first
    if kind in ("mul", "div"):
        other = signs[1] if not alone else 0 if number is None else 1 if number > 0 else -1
        return first * other
    if kind in ("add", "sub"):
        other = signs[1] if not alone else 0 if number is None else 1 if number >= 0 else -1
        return first if first == (other if kind == "add" else -other) else 0
    return 0


def _seen(rows: Series | None) -> int:
    """The sign of all recorded values."""
    if rows is None or not len(rows):
        return 0
    return 1 if (rows["min"] >= 0).all() else -1 if (rows["max"] <= 0).all() else 0
