"""Statements that put something into an object: attributes, items, and the methods of containers."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from hypocenter.ir.sources import Block, own_nodes
from hypocenter.lower.scopes import assignments

How = Literal["set", "append", "insert", "extend", "merge", "disturb"]

_KEYED = frozenset({"add_module", "register_module", "__setitem__", "__setattr__"})
_DISTURBING = frozenset({"pop", "popitem", "remove", "reverse", "sort", "clear", "move_to_end", "__delitem__"})
_UNKEYED: dict[str, How] = {"append": "append", "extend": "extend", "update": "merge"}


@dataclass(frozen=True, eq=False)
class Addition:
    """`holder` receives `value`.

    Args:
        holder: The expression that it is put into.
        how: At a key, at the end, somewhere in between, all elements of it, or all items of it; `disturb` puts
            nothing in, but changes the order or the number of what is there.
        key: For `set`.
        value: None where it is a part of another expression's value.
        line: Of the statement.
        named: True when the key names an attribute or a child, also where it is computed (`setattr`).
    """

    holder: ast.expr
    how: How
    key: ast.expr | None
    value: ast.expr | None
    line: int
    named: bool = False


@lru_cache(maxsize=4096)
def additions(block: Block) -> tuple[Addition, ...]:
    """All additions in the body of a function or module, in source order."""
    return tuple(found for node in own_nodes(block) for found in _of(node))


def _of(node: ast.AST) -> Iterator[Addition]:
    if isinstance(node, ast.AugAssign):
        how: How = "merge" if isinstance(node.op, ast.BitOr) else "extend"
        yield Addition(node.target, how, None, node.value, node.lineno)
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            if isinstance(target, ast.Subscript | ast.Attribute):
                yield Addition(target.value, "disturb", None, None, node.lineno)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    else:
        for target, value in assignments(node):
            if isinstance(target, ast.Attribute):
                yield Addition(target.value, "set", ast.Constant(target.attr), value, target.lineno, named=True)
            elif isinstance(target, ast.Subscript):
                holder, named = target.value, False
                if isinstance(holder, ast.Attribute) and holder.attr in ("_modules", "__dict__"):
                    holder, named = holder.value, True
                yield Addition(holder, "set", target.slice, value, target.lineno, named)


def _of_call(node: ast.Call) -> Iterator[Addition]:
    match node:
        case ast.Call(func=ast.Name("setattr"), args=[holder, key, value]):
            yield Addition(holder, "set", key, value, node.lineno, named=True)
        case ast.Call(func=ast.Attribute(value=holder, attr=name), args=[key, value]) if name in _KEYED:
            yield Addition(holder, "set", key, value, node.lineno, named=True)
        case ast.Call(func=ast.Attribute(value=holder, attr="insert"), args=[_, value]):
            yield Addition(holder, "insert", None, value, node.lineno)
        case ast.Call(func=ast.Attribute(value=holder, attr=name), args=[value]) if name in _UNKEYED:
            yield Addition(holder, _UNKEYED[name], None, value, node.lineno)
        case ast.Call(func=ast.Attribute(value=holder, attr=name)) if name in _DISTURBING:
            yield Addition(holder, "disturb", None, None, node.lineno)


def of_key(found: Iterable[Addition], name: str) -> tuple[list[int], list[int]]:
    """Which of the additions set the child called `name`: surely meant ones, and ones that only might.

    A written key that fits rules over a composed one (`f"layer{i}"`), and that over a key that can be anything.

    Returns:
        Two lists of indices into `found`.
    """
    levels: list[list[int]] = [[], [], []]
    for index, addition in enumerate(found):
        level = _fit(addition.key, name)
        if level is not None:
            levels[level].append(index)
    first = next((level for level in levels if level), [])
    return first, [index for level in levels if level is not first for index in level]


def _fit(key: ast.expr | None, name: str) -> int | None:
    if isinstance(key, ast.Constant):
        return 0 if str(key.value) == name else None
    composed = None if key is None else _pattern(key)
    if composed is None or composed.strip(".*") == "":
        return 2
    return 1 if re.fullmatch(composed, name) else None


def _pattern(key: ast.expr) -> str | None:
    """A regular expression for the strings that a key may be, or None when nothing of it is known."""
    match key:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(_pattern(part) or ".*" for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (_pattern(left) or ".*") + (_pattern(right) or ".*")
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return ".*".join(re.escape(part) for part in re.split(r"%[-#0 +\d.]*[a-zA-Z]", text))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return ".*".join(re.escape(part) for part in re.split(r"\{[^}]*\}", text))
        case _:
            return None
