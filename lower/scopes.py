"""What names stand for in a piece of source that ran earlier: scopes, bindings, and the objects behind callees.

Nothing of the user's is run. A name is looked up in the source first, and in the live module's namespace for what does
not change in practice: classes, functions, modules. Where the source does not decide, the answer is `UNKNOWN`.
"""

import ast
import builtins
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Union

from hypocenter.ir.sources import Block, Function, SourceFile, own_nodes


@dataclass(frozen=True)
class Unknown:
    """Anything at all: the source alone does not tell."""


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, eq=False)
class Written:
    """An expression of the source, and where its names are looked up."""

    node: ast.expr
    scope: "Scope"


@dataclass(frozen=True, eq=False)
class Closure:
    """A function that is defined inside another one."""

    node: Function
    scope: "Scope"


@dataclass(frozen=True)
class Live:
    """An object of the running program."""

    value: object


Value = Union[Written, Live, Unknown]  # noqa: UP007  # `|` cannot hold the string references of these classes
Binding = Union[Written, Closure, Live, Unknown]  # noqa: UP007  # as above


@dataclass(frozen=True, eq=False)
class Scope:
    """A function's body, or a module's, as one call of it saw its names.

    Args:
        source: The file.
        block: The function, or the module's tree.
        namespace: Globals of the module.
        bindings: Parameters whose argument is known.
        parent: The scope around a nested function.
        instance: Class of the object that the first parameter stands for, in a method.
        first: Name of that parameter.
        constructed: What the parameters of the object's `__init__` were bound to.
    """

    source: SourceFile
    block: Block
    namespace: Mapping[str, object] = field(repr=False)
    bindings: Mapping[str, Binding] = field(default_factory=dict, repr=False)
    parent: "Scope | None" = None
    instance: type | None = None
    first: str | None = None
    constructed: Mapping[str, Binding] = field(default_factory=dict, repr=False)

    def values(self, name: str) -> list[Binding]:
        """Everything that the name may stand for here; a name of the module's that it does not assign is live."""
        local = assigned(self.block).get(name)
        parameters = parameter_names(self.block)
        if local is None and name not in parameters:
            return self._outer_values(name)
        found: list[Binding] = [self.bindings.get(name, UNKNOWN)] if name in parameters else []
        return found + [_binding(name, value, self) for value in local or ()]

    def _outer_values(self, name: str) -> list[Binding]:
        if name in self.bindings:  # a variable of an enclosing function that is not at hand
            return [self.bindings[name]]
        if self.parent is not None:
            return self.parent.values(name)
        if not isinstance(self.block, ast.Module):
            module = Scope(self.source, self.source.tree, self.namespace)
            return module.values(name)
        value = self.namespace.get(name, getattr(builtins, name, UNKNOWN))
        return [UNKNOWN if value is UNKNOWN else Live(value)]


@lru_cache(maxsize=4096)
def parameter_names(block: Block) -> tuple[str, ...]:
    """Names of all parameters, the variadic ones too; none for a module."""
    if isinstance(block, ast.Module):
        return ()
    a = block.args
    variadic = [arg for arg in (a.vararg, a.kwarg) if arg is not None]
    return tuple(arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs, *variadic))


Assigned = Union[ast.expr, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.alias, None]  # noqa: UP007  # as above


@lru_cache(maxsize=4096)
def assigned(block: Block) -> Mapping[str, list[Assigned]]:
    """What each name of the block is bound to, anywhere in it; None for what has no expression of its own."""
    found: dict[str, list[Assigned]] = {}
    for node in own_nodes(block):
        for target, value in assignments(node):
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(value)
        for name, statement in _named(node):
            found.setdefault(name, []).append(statement)
    return found


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Pairs of target and value in a statement, tuples taken apart; None where the value is a part of something."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        yield from _pairs(node.target, None)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from _pairs(node.optional_vars, None)


def _pairs(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if isinstance(target, ast.Starred):
        yield from _pairs(target.value, None)
    elif not isinstance(target, ast.Tuple | ast.List):
        yield target, value
    elif isinstance(value, ast.Tuple | ast.List) and _aligned(target, value):
        for inner, part in zip(target.elts, value.elts, strict=True):
            yield from _pairs(inner, part)
    else:
        for inner in target.elts:
            yield from _pairs(inner, None)


def _aligned(target: ast.Tuple | ast.List, value: ast.Tuple | ast.List) -> bool:
    starred = any(isinstance(item, ast.Starred) for item in (*target.elts, *value.elts))
    return len(target.elts) == len(value.elts) and not starred


def _named(node: ast.AST) -> Iterator[tuple[str, Assigned]]:
    """Names that statements other than assignments bind."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, node
    elif isinstance(node, ast.Import):
        for alias in node.names:
            # `import a.b` binds `a`, `import a.b as c` binds `c` to `a.b`.
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or module, ast.alias(module, None)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, ast.alias(f"{node.module}.{alias.name}", None) if not node.level else None
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name, None
    elif isinstance(node, ast.Global | ast.Nonlocal):
        for name in node.names:
            yield name, None


def _binding(name: str, value: Assigned, scope: Scope) -> Binding:
    if isinstance(value, ast.FunctionDef | ast.AsyncFunctionDef):
        return Closure(value, scope)
    if isinstance(value, ast.expr):
        return Written(value, scope)
    if isinstance(value, ast.ClassDef | ast.alias) and isinstance(scope.block, ast.Module) and name in scope.namespace:
        return Live(scope.namespace[name])
    return _imported(value.name) if isinstance(value, ast.alias) else UNKNOWN


def _imported(path: str) -> Binding:
    """The object that an import statement binds, if that import has happened."""
    if path in sys.modules:
        return Live(sys.modules[path])
    module, _, name = path.rpartition(".")
    holder = vars(sys.modules[module]) if module in sys.modules else {}
    return Live(holder[name]) if name in holder else UNKNOWN
