"""Exact replacements in a source line, made only where the text there surely is the operation that we mean."""

import ast
from collections.abc import Callable

from hypocenter.diagnose.finding import Edit
from hypocenter.ir.frames import with_snippet
from hypocenter.ir.site import Site

#: Gets the parsed expression and a function that gives the text of a part; returns the new text, or None.
Rewrite = Callable[[ast.expr, Callable[[ast.expr], str]], str | None]


def edit(site: Site | None, rewrite: Rewrite) -> Edit | None:
    """The edit that replaces the expression at a site.

    None when the site spans lines, belongs to a library, or its text is not one expression, or occurs twice in its
    line, or `rewrite` does not recognise it.
    """
    if site is None or site.library or site.column is None or site.end_column is None:
        return None
    line = with_snippet(site).snippet
    if line is None or site.end_line not in (None, site.line):
        return None
    old = line[site.column - 1 : site.end_column - 1]
    if not old or line.count(old) != 1:
        return None
    try:
        expression = ast.parse(old, mode="eval").body
    except SyntaxError:
        return None
    new = rewrite(expression, lambda part: ast.get_source_segment(old, part) or "")
    return None if new is None or new == old else Edit(site.file, site.line, old, new)


def wrapped(part: ast.expr, text: Callable[[ast.expr], str]) -> str:
    """The text of an operand, in parentheses unless a method can be called on it as it stands."""
    plain = isinstance(part, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))
    return text(part) if plain else f"({text(part)})"


def clamp_operand(names: frozenset[str], floor: str) -> Rewrite:
    """`torch.log(p)` -> `torch.log(p.clamp_min(floor))` and `p.log()` -> `p.clamp_min(floor).log()`."""

    def rewrite(expression: ast.expr, text: Callable[[ast.expr], str]) -> str | None:
        if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Attribute):
            return None
        function = expression.func
        if function.attr not in names or expression.keywords:
            return None
        if not expression.args:
            return f"{wrapped(function.value, text)}.clamp_min({floor}).{function.attr}()"
        if len(expression.args) > 1 or not is_torch(function.value):
            return None
        operand = wrapped(expression.args[0], text)
        return f"{text(function)}({operand}.clamp_min({floor}))"

    return rewrite


def clamp_denominator(floor: str) -> Rewrite:
    """`a / b` -> `a / b.clamp_min(floor)`."""

    def rewrite(expression: ast.expr, text: Callable[[ast.expr], str]) -> str | None:
        if not isinstance(expression, ast.BinOp) or not isinstance(expression.op, ast.Div):
            return None
        if isinstance(expression.right, ast.Constant):
            return None
        whole = text(expression).encode()
        before, after = whole[: expression.right.col_offset].decode(), whole[expression.right.end_col_offset :].decode()
        if after:  # the denominator stands in parentheses
            return f"{before}{text(expression.right)}{after}.clamp_min({floor})"
        return f"{before}{wrapped(expression.right, text)}.clamp_min({floor})"

    return rewrite


def with_argument(names: frozenset[str], argument: str) -> Rewrite:
    """`x.std(0)` -> `x.std(0, argument)`, where no argument of that name (or of the older `unbiased`) stands there."""

    def rewrite(expression: ast.expr, text: Callable[[ast.expr], str]) -> str | None:
        if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Attribute):
            return None
        if expression.func.attr not in names:
            return None
        keyword = argument.partition("=")[0]
        if any(given.arg in (None, keyword, "unbiased") for given in expression.keywords) or len(expression.args) > 2:
            return None
        inside = text(expression)[len(text(expression.func)) :].strip()
        return (
            f"{text(expression.func)}({argument})"
            if inside == "()"
            else f"{text(expression.func)}{inside[:-1]}, {argument})"
        )

    return rewrite


def is_torch(expression: ast.expr) -> bool:
    """Whether an expression is the module `torch` or one of its usual submodules, by name."""
    return isinstance(expression, ast.Name) and expression.id in ("torch", "F", "functional", "special")
