"""Parts of a call in the source: where each of its arguments stands."""

import ast
import linecache
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from hypocenter.ir.frames import character_column
from hypocenter.ir.site import Site


@lru_cache(maxsize=64)
def parse(file: str, text: str) -> ast.Module | None:
    """The syntax tree of a file's text; None when it is no Python. `file` only keys the cache."""
    del file
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def tree_of(file: str) -> ast.Module | None:
    """The syntax tree of a source file as the interpreter knows it; None when it cannot be read."""
    text = "".join(linecache.getlines(file))
    return parse(file, text) if text else None


def site_of_node(node: ast.expr | ast.keyword, like: Site) -> Site:
    """The span of a syntax node in the file of `like`, with its role."""
    first, last = (
        linecache.getline(like.file, node.lineno),
        linecache.getline(like.file, node.end_lineno or node.lineno),
    )
    return replace(
        like,
        line=node.lineno,
        end_line=node.end_lineno,
        column=character_column(first, node.col_offset),
        end_column=character_column(last, node.end_col_offset or 0),
        snippet=first.rstrip() or None,
    )


def call_at(site: Site) -> ast.Call | None:
    """The call expression whose span is `site`; for a site without columns, the only call on its lines."""
    tree = tree_of(site.file)
    if tree is None:
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.lineno == site.line]
    if site.column is not None:
        calls = [node for node in calls if site_of_node(node, site).column == site.column]
        exact = [node for node in calls if site_of_node(node, site).end_column == site.end_column]
        calls = [node for node in exact if node.end_lineno == site.end_line] or exact
    return calls[0] if len(calls) == 1 else None


def argument_sites(site: Site, names: Iterable[str], positions: dict[str, int] | None = None) -> dict[str, Site]:
    """Where the arguments of the call at `site` stand in the source.

    Args:
        site: The span of a call, such as `torch.optim.SGD(net.parameters(), lr=0.1)`.
        names: Keywords to look for.
        positions: Place of a name among the positional arguments, from 0, for calls that pass it so.

    Returns:
        The span of `lr=0.1` under `lr`, and so on; a name that is not written there is left out.
    """
    call = call_at(site)
    if call is None:
        return {}
    found: dict[str, Site] = {}
    for name in names:
        keyword = next((keyword for keyword in call.keywords if keyword.arg == name), None)
        place = (positions or {}).get(name)
        if keyword is not None:
            found[name] = site_of_node(keyword, site)
        elif place is not None and place < len(call.args) and not isinstance(call.args[place], ast.Starred):
            found[name] = site_of_node(call.args[place], site)
    return found


def only_call(file: str, function: str, role_of: Site) -> Site | None:
    """The only call of something named `function` in a file; None when there is none or more than one."""
    tree = tree_of(file)
    if tree is None:
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node.func) == function]
    return site_of_node(calls[0], role_of) if len(calls) == 1 else None


def _called(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None
