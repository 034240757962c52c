"""Parsed source files: from a code object to its syntax tree, and from a syntax node to its place."""

import ast
import linecache
from collections.abc import Iterator
from functools import cached_property, lru_cache
from types import CodeType

from hypocenter.ir.frames import character_column, is_library, source_path
from hypocenter.ir.site import Role, Site

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Block = Function | ast.Module
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class SourceFile:
    """One parsed file. Nodes keep their identity, so that they can be compared with `is`.

    Args:
        path: As a site names it.
        text: The whole source.

    Raises:
        SyntaxError: The text is not Python.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.tree = ast.parse(text)

    @staticmethod
    def of(filename: str) -> "SourceFile | None":
        """The file that `code.co_filename` names, or None when it cannot be read or parsed.

        It is read once for each state of the text, also from a notebook's cells.
        """
        text = "".join(linecache.getlines(filename))
        return _parsed(source_path(filename), text) if text else None

    @cached_property
    def functions(self) -> dict[tuple[str, int], list[Function]]:
        """Functions by name and first line (that of the first decorator), as code objects give them."""
        found: dict[tuple[str, int], list[Function]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Lambda):
                found.setdefault(("<lambda>", node.lineno), []).append(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
                found.setdefault((node.name, first), []).append(node)
        return found

    @cached_property
    def methods(self) -> dict[ast.AST, ast.ClassDef]:
        """The functions that stand directly in a class, each with its class."""
        classes = (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))
        return {child: node for node in classes for child in node.body if isinstance(child, _NESTED)}

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The module and all its functions."""
        return (self.tree, *(node for nodes in self.functions.values() for node in nodes))

    @cached_property
    def parents(self) -> dict[Block, Block]:
        """For each function inside of another one's, or the module's, own body: that one."""
        inner = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        return {node: block for block in self.blocks for node in own_nodes(block) if isinstance(node, inner)}

    def function(self, code: CodeType) -> Function | None:
        """The syntax of a function, or None when the file no longer has it or several fit."""
        found = self.functions.get((code.co_name, code.co_firstlineno), [])
        return found[0] if len(found) == 1 else None

    def span(self, node: ast.expr, role: Role = "definition") -> Site:
        """The exact place of an expression."""
        end_line = node.end_lineno or node.lineno
        start = character_column(self.lines[node.lineno - 1], node.col_offset)
        end = character_column(self.lines[end_line - 1], node.end_col_offset or node.col_offset)
        last = end_line if end_line > node.lineno else None
        return Site(self.path, node.lineno, last, start, end, role=role, library=is_library(self.path))


@lru_cache(maxsize=4096)
def own_nodes(block: Block) -> tuple[ast.AST, ...]:
    """All nodes of a function's or module's body in source order, without those of functions and classes inside.

    The inner functions and classes themselves are included; comprehensions are entered.
    """
    return tuple(_own(block))


def _own(block: Block) -> Iterator[ast.AST]:
    pending: list[ast.AST] = [block.body] if isinstance(block, ast.Lambda) else list(reversed(block.body))
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, _NESTED):
            continue
        pending.extend(reversed(list(ast.iter_child_nodes(node))))


@lru_cache(maxsize=512)
def _parsed(path: str, text: str) -> SourceFile | None:
    try:
        return SourceFile(path, text)
    except (SyntaxError, ValueError):  # a notebook cell with magics, a file being edited, or text with null bytes
        return None
