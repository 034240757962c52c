"""The user's source files, and what they do to modules from outside of the modules' classes."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from hypocenter.ir.frames import is_library, source_path
from hypocenter.ir.sources import Block, SourceFile, own_nodes
from hypocenter.lower.additions import Addition, additions
from hypocenter.lower.origins import Candidate
from hypocenter.lower.scopes import Scope, assignments, parameter_names

_ANY_KEY = ("setattr(", "_modules[", "add_module(", "register_module(")


class Files:
    """All files of the user's that the program has imported, and some more.

    Args:
        named: The files to be sure of, as sites name them.
        namespace: Globals of the first of them where it is not an imported module (a notebook).
    """

    def __init__(self, named: Sequence[str] = (), namespace: Mapping[str, object] | None = None) -> None:
        self.named = named
        self._namespace = namespace
        self._known: dict[str, list[Scope]] = {}
        self._replaced: dict[str, dict[str | None, list[tuple[Addition, Scope]]]] = {}

    @cached_property
    def sources(self) -> list[tuple[SourceFile, Mapping[str, object]]]:
        """The parsed files, each with the globals of its module."""
        found: dict[str, tuple[SourceFile, Mapping[str, object]]] = {}
        if self.named and self._namespace is not None:
            self._add(found, self.named[0], self._namespace)
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            users = name.partition(".")[0] not in ("torch", "hypocenter")
            if users and isinstance(file, str) and file.endswith(".py") and not is_library(file):
                self._add(found, source_path(file), vars(module))
        for file in self.named:
            if file not in found:
                self._add(found, file, {})
        return list(found.values())

    def scopes(self, *words: str) -> Iterator[Scope]:
        """The functions and modules of the files that contain any of the words."""
        for source, namespace in self.sources:
            if any(word in source.text for word in words):
                yield from self._scopes_of(source, namespace)

    def replacements(self, name: str) -> Iterator[tuple[Addition, Scope]]:
        """What the files put under a name into an object other than the `self` of a method."""
        for source, namespace in self.sources:
            if any(word in source.text for word in (f".{name}", f'"{name}"', f"'{name}'", f"[{name}]", *_ANY_KEY)):
                by_name = self._replacements_in(source, namespace)
                yield from by_name.get(name, ())
                yield from by_name.get(None, ())

    def _replacements_in(
        self, source: SourceFile, namespace: Mapping[str, object]
    ) -> dict[str | None, list[tuple[Addition, Scope]]]:
        """Those of one file by the written key; None collects the computed keys of attributes."""
        if source.path not in self._replaced:
            found: dict[str | None, list[tuple[Addition, Scope]]] = {}
            for scope in self._scopes_of(source, namespace):
                for addition in additions(scope.block):
                    written = isinstance(addition.key, ast.Constant)
                    if addition.how == "set" and (written or addition.named) and not _on_self(addition.holder, scope):
                        key = str(addition.key.value) if isinstance(addition.key, ast.Constant) else None
                        found.setdefault(key, []).append((addition, scope))
            self._replaced[source.path] = found
        return self._replaced[source.path]

    def _scopes_of(self, source: SourceFile, namespace: Mapping[str, object]) -> list[Scope]:
        """The scopes of all blocks of a file, as far as the file alone tells; outer ones come before inner ones."""
        if source.path not in self._known:
            known: dict[Block, Scope] = {}
            for block in source.blocks:
                _scope(source, block, namespace, known)
            self._known[source.path] = list(known.values())
        return self._known[source.path]

    def additions_to(self, name: str, methods: list[Scope], candidate: Candidate) -> Iterator[tuple[Addition, Scope]]:
        """What is added to a container after it was made.

        Args:
            name: The attribute that holds it.
            methods: Scopes of the class that has the attribute.
            candidate: The call that made it, perhaps for a variable.
        """
        own = {scope.block: scope for scope in methods}
        variables = _variables(candidate)
        blocks = {scope.block: scope for scope in self.scopes(f".{name}")} if name and not name.isdigit() else {}
        for block, scope in {**blocks, **own, candidate.scope.block: candidate.scope}.items():
            for addition in additions(block):
                holder = addition.holder
                if isinstance(holder, ast.Attribute):
                    meant = holder.attr == name and (block in own or not _on_self(holder.value, scope))
                else:
                    beside = block is candidate.scope.block
                    meant = beside and isinstance(holder, ast.Name) and holder.id in variables
                if meant:
                    yield addition, scope

    @staticmethod
    def _add(
        found: dict[str, tuple[SourceFile, Mapping[str, object]]], path: str, namespace: Mapping[str, object]
    ) -> None:
        source = SourceFile.of(path)
        if source is not None:
            found[path] = (source, namespace)


def _scope(source: SourceFile, block: Block, namespace: Mapping[str, object], known: dict[Block, Scope]) -> Scope:
    if block not in known:
        outer = source.parents.get(block)
        parent = None if outer is None or outer is source.tree else _scope(source, outer, namespace, known)
        known[block] = Scope(source, block, namespace, parent=parent)
    return known[block]


def _variables(candidate: Candidate) -> set[str]:
    """The variables that the call's value is assigned to."""
    return {
        target.id
        for node in own_nodes(candidate.scope.block)
        for target, value in assignments(node)
        if value is candidate.call and isinstance(target, ast.Name)
    }


def _on_self(holder: ast.expr, scope: Scope) -> bool:
    names = parameter_names(scope.block)
    method = scope.block in scope.source.methods and names
    return bool(method) and isinstance(holder, ast.Name) and holder.id == names[0]
