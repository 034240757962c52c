"""Which expressions of the source may have made a given module."""

import ast
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType, MethodType
from typing import Any, Literal

from hypocenter.ir.site import Site
from hypocenter.lower.callees import constructor_of, is_users, is_users_class, objects, opened
from hypocenter.lower.collected import elements, returns
from hypocenter.lower.scopes import UNKNOWN, Binding, Live, Scope, Unknown, Written

MAX_DEPTH = 20  # calls and names followed to one place

# Methods of torch.nn.Module that return the module itself.
_FLUENT = frozenset(
    {"to", "cuda", "cpu", "float", "double", "half", "bfloat16", "type", "eval", "train", "requires_grad_", "apply",
     "to_empty", "share_memory"}
)  # fmt: skip
# Library functions that return the module that they are given, or one that keeps its definition.
_PASSING = frozenset({"deepcopy", "copy", "weight_norm", "spectral_norm", "orthogonal", "register_parametrization"})

Made = Literal["constructor", "library", "clones"]


@dataclass(frozen=True, eq=False)
class ModuleTree:
    """What the search needs to know of a module.

    Args:
        type: Its class; of a parametrized module the class that the user wrote.
        children: Submodules by name, in order.
        sizes: Integer settings by attribute name (`in_features`), to tell literal arguments apart.
    """

    type: type
    children: Mapping[str, "ModuleTree"] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def users(self) -> bool:
        """True when the class was written in the user's files."""
        return is_users_class(self.type)

    @classmethod
    def of(cls, module: Any) -> "ModuleTree":
        """The tree of a live `torch.nn.Module`; its values are read, never its methods called."""
        kind = type(module)
        if kind.__module__ == "torch.nn.utils.parametrize":
            kind = kind.__bases__[0]
        attributes = vars(module)
        children = {n: cls.of(m) for n, m in attributes.get("_modules", {}).items() if m is not None}
        return cls(kind, children, {n: v for n, v in attributes.items() if _is_size(v)})


@dataclass(frozen=True, eq=False)
class Candidate:
    """A call expression that may have made a module.

    Args:
        call: The expression.
        scope: Where it stands.
        made: By the class's constructor, inside of a library's function, or as a library's clones of its argument.
    """

    call: ast.Call
    scope: Scope
    made: Made = "constructor"


@dataclass
class Found:
    """All the places that may have made a module; `unknown` when there may be others."""

    candidates: dict[tuple[str, int, int], Candidate] = field(default_factory=dict)
    unknown: bool = False

    def add(self, candidate: Candidate) -> None:
        """One more place; the same expression counts once, however it was reached."""
        call = candidate.call
        self.candidates.setdefault((candidate.scope.source.path, call.lineno, call.col_offset), candidate)

    def merge(self, other: "Found", *, surely: bool = True) -> None:
        """All places of the other one too. If not `surely`, its gaps do not count as gaps here."""
        for key, candidate in other.candidates.items():
            self.candidates.setdefault(key, candidate)
        self.unknown |= surely and other.unknown

    @property
    def impossible(self) -> bool:
        """True when the source rules out every place."""
        return not self.candidates and not self.unknown

    def site(self) -> Site | None:
        """The exact span of the only place, or the lines from the first to the last one of a file, or None."""
        spans = [candidate.scope.source.span(candidate.call) for candidate in self.candidates.values()]
        if self.unknown or not spans or len({span.file for span in spans}) > 1:
            return None
        if len(spans) == 1:
            return spans[0]
        first = min(span.line for span in spans)
        last = max(span.end_line or span.line for span in spans)
        return Site(spans[0].file, first, last if last > first else None, library=spans[0].library)


def makes(made: object, tree: ModuleTree) -> bool:
    """True when calling `made` gives a module of the tree's class, also if the class was defined again since."""
    if not isinstance(made, type):
        return False
    # Lazy modules turn into this class at their first call.
    made = inspect.getattr_static(made, "cls_to_become", None) or made
    return made is tree.type or (made.__module__, made.__qualname__) == (tree.type.__module__, tree.type.__qualname__)


class Origins:
    """Follows an expression to the calls that may have made its value.

    Args:
        attribute: Gives what an attribute of an object was set to: (scope of a method, name) to values.
    """

    def __init__(self, attribute: Callable[[Scope, str], Iterable[Binding]]) -> None:
        self._attribute = attribute

    def resolve(self, node: ast.expr, scope: Scope, tree: ModuleTree, depth: int = 0) -> Found:
        """The calls that may have made the expression's value, given that it is a module like `tree`."""
        if depth > MAX_DEPTH:
            return Found(unknown=True)
        match node:
            case ast.Call():
                return self._call(node, scope, tree, depth + 1)
            case ast.NamedExpr(value=value):
                return self.resolve(value, scope, tree, depth + 1)
            case ast.Constant():
                return Found()  # None, or a number: no module
            case _:
                return self.any_of(self._values(node, scope), tree, depth + 1)

    def _values(self, node: ast.expr, scope: Scope) -> Iterable[Binding]:
        """What an expression that makes nothing itself stands for."""
        match node:
            case ast.Name(id=name):
                return scope.values(name)
            case ast.Attribute(value=ast.Name(id=holder), attr=name) if holder == scope.first:
                return self._attribute(scope, name)
            case ast.IfExp(body=left, orelse=right):
                return [Written(left, scope), Written(right, scope)]
            case ast.BoolOp(values=parts):
                return [Written(part, scope) for part in parts]
            case ast.Subscript(value=value):
                return elements(value, scope).all
            case _:
                return [UNKNOWN]

    def any_of(self, values: Iterable[Binding], tree: ModuleTree, depth: int = 0) -> Found:
        """The places of all the values."""
        found = Found()
        for value in values:
            if isinstance(value, Written):
                found.merge(self.resolve(value.node, value.scope, tree, depth))
            elif isinstance(value, Unknown) or (isinstance(value, Live) and _may_be_module(value.value)):
                found.unknown = True
        return found

    def _call(self, call: ast.Call, scope: Scope, tree: ModuleTree, depth: int) -> Found:
        found = Found()
        callees = list(objects(call.func, scope))
        fluent = isinstance(call.func, ast.Attribute) and call.func.attr in _FLUENT
        if fluent and isinstance(call.func, ast.Attribute) and all(isinstance(callee, Unknown) for callee in callees):
            return self.resolve(call.func.value, scope, tree, depth)
        for callee in callees:
            if makes(callee, tree):
                if fits(call, tree):
                    found.add(Candidate(call, scope))
            elif not isinstance(callee, type):
                found.merge(self._function(callee, call, scope, tree, depth))
        return found

    def _function(self, callee: object, call: ast.Call, scope: Scope, tree: ModuleTree, depth: int) -> Found:
        if is_users(callee):
            inner = opened(call, scope, callee)
            if inner is None:
                return Found(unknown=True)
            return self.any_of([Written(value, inner) for value in returns(inner.block)], tree, depth)
        if not isinstance(callee, FunctionType | MethodType):
            return Found(unknown=True)
        if callee.__name__ in _PASSING and call.args:
            return self.resolve(call.args[0], scope, tree, depth)
        return self._library(callee, call, scope, tree, depth)

    def _library(
        self, callee: FunctionType | MethodType, call: ast.Call, scope: Scope, tree: ModuleTree, depth: int
    ) -> Found:
        """What library code returns it has made itself, unless it is one of the modules that it was given."""
        found = Found()
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            found.merge(self.resolve(value, scope, tree, depth), surely=False)
        own = isinstance(callee, MethodType) and makes(callee.__self__, tree)
        if own or not tree.users:
            found.add(Candidate(call, scope, "library"))
        found.unknown |= not found.candidates
        return found


def fits(call: ast.Call, tree: ModuleTree) -> bool:
    """False when a literal size among the arguments is not the one that the module has."""
    constructor = constructor_of(tree.type)
    if not callable(constructor):
        return True
    try:
        names = list(inspect.signature(constructor).parameters)[1:]
    except (TypeError, ValueError):  # a constructor without a Python signature
        return True
    given: list[tuple[str, ast.expr]] = [(k.arg, k.value) for k in call.keywords if k.arg is not None]
    for name, value in zip(names, call.args, strict=False):
        if isinstance(value, ast.Starred):
            break
        given.append((name, value))
    return all(name not in tree.sizes or _same(_literal(value), tree.sizes[name]) for name, value in given)


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):  # not a literal: nothing is known of it
        return None


def _same(written: object, actual: object) -> bool:
    if not _is_size(written):
        return True
    one = written if isinstance(written, tuple) else (written,)
    other = actual if isinstance(actual, tuple) else (actual,)
    if len(one) != len(other) and 1 not in (len(one), len(other)):
        return True  # written in another form than it is kept
    return set(one) == set(other) if 1 in (len(one), len(other)) else one == other


def _is_size(value: object) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(type(part) is int for part in parts)


def _may_be_module(value: object) -> bool:
    return hasattr(type(value), "_modules") or "_modules" in getattr(value, "__dict__", ())
