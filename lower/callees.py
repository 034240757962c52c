"""What a call in the source calls: the live class or function behind the callee, and the scope that a call opens."""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType, MethodType, ModuleType

from hypocenter.ir.frames import is_library
from hypocenter.ir.sources import Function, SourceFile
from hypocenter.lower.scopes import UNKNOWN, Binding, Closure, Live, Scope, Written, parameter_names

MAX_DEPTH = 24  # of names followed to names, so that recursive helpers end

Seen = frozenset[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Table:
    """The objects in a dictionary display that is used to choose a class by name."""

    entries: tuple[object, ...]


def objects(node: ast.expr, scope: Scope, seen: Seen = frozenset()) -> Iterator[object]:
    """The objects that a callee expression may be: live ones, `Closure`s, and `UNKNOWN` when there may be others.

    Nothing of the user's is run for it: attributes are read statically.
    """
    key = (id(node), id(scope))
    if key in seen:
        return  # a name that is assigned from itself adds nothing
    finder = _FINDERS.get(type(node))
    if finder is None or len(seen) > MAX_DEPTH:
        yield UNKNOWN
    else:
        yield from finder(node, scope, seen | {key})


def opened(call: ast.Call, scope: Scope, callee: object) -> Scope | None:
    """The scope of the user's function that a call enters, its parameters bound; None for anything else."""
    if isinstance(callee, Closure):
        bindings = bind(call, scope, callee.node, callee.scope, skip=0)
        return Scope(callee.scope.source, callee.node, callee.scope.namespace, bindings, parent=callee.scope)
    function = callee.__func__ if isinstance(callee, MethodType) else callee
    if not isinstance(function, FunctionType):
        return None
    body = body_of(function)
    if body is None:
        return None
    names = parameter_names(body.block)
    assert not isinstance(body.block, ast.Module)
    if isinstance(callee, MethodType):
        bound = bind(call, scope, body.block, body, skip=1)
        receiver = {names[0]: Live(callee.__self__)}
        return replace(body, bindings={**body.bindings, **bound, **receiver})
    on_self = is_method_of_self(call.func, scope)
    bound = {**body.bindings, **bind(call, scope, body.block, body, skip=int(on_self))}
    if not on_self or not names:
        return replace(body, bindings=bound)
    return replace(body, bindings=bound, instance=scope.instance, first=names[0], constructed=scope.constructed)


def body_of(function: FunctionType) -> Scope | None:
    """The scope of a function of the user's with nothing bound but, as unknown, its closure; None without source."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    if code is None or is_library(code.co_filename):
        return None
    source = SourceFile.of(code.co_filename)
    node = None if source is None else source.function(code)
    if source is None or node is None:
        return None
    return Scope(source, node, inner.__globals__, dict.fromkeys(code.co_freevars, UNKNOWN))


def is_users(function: object) -> bool:
    """True for a function of the user's own, whether or not its source is at hand."""
    if isinstance(function, Closure):
        return True
    plain = function.__func__ if isinstance(function, MethodType) else function
    if not isinstance(plain, FunctionType):
        return False
    return not is_library(inspect.unwrap(plain).__code__.co_filename)


def is_users_class(kind: type) -> bool:
    """True when the class was written in the user's files."""
    functions = (inspect.unwrap(value) for value in vars(kind).values() if isinstance(value, FunctionType))
    files = {function.__code__.co_filename for function in functions if hasattr(function, "__code__")} - {"<string>"}
    if not files:  # no method of its own: the module says whose it is
        file = getattr(inspect.getmodule(kind), "__file__", None)
        return kind.__module__ == "__main__" or (file is not None and not is_library(file))
    return not any(is_library(file) for file in files) and kind.__module__.partition(".")[0] != "torch"


def constructor_of(kind: type) -> object:
    """What stands for `__init__` in the class."""
    return inspect.getattr_static(kind, "__init__")


def is_method_of_self(func: ast.expr, scope: Scope) -> bool:
    """True for `self.name` where `name` takes the object: not for a static method."""
    if not (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == scope.first):
        return False
    return not isinstance(inspect.getattr_static(scope.instance, func.attr, None), staticmethod)


def bind(call: ast.Call, caller: Scope, function: Function, definition: Scope, skip: int) -> Mapping[str, Binding]:
    """Parameters of `function` as the call binds them; absent ones have their default, spread ones are unknown.

    Args:
        call: The call, whose arguments belong to `caller`.
        caller: Where the call stands.
        function: What is called.
        definition: Where the function is defined, for its defaults.
        skip: Leading parameters that the call does not give (`self`).
    """
    names = function.args
    positional = [arg.arg for arg in (*names.posonlyargs, *names.args)]
    outer = definition  # of a closure: the scope around it
    if definition.block is function:
        outer = Scope(definition.source, definition.source.tree, definition.namespace)
    found: dict[str, Binding] = dict.fromkeys(parameter_names(function), UNKNOWN)
    spread = any(keyword.arg is None for keyword in call.keywords)
    starred = any(isinstance(arg, ast.Starred) for arg in call.args)
    if not spread and not starred:
        defaults = zip(reversed(positional), reversed(names.defaults), strict=False)
        for name, default in defaults:
            found[name] = Written(default, outer)
    if not spread:
        for arg, keyword_default in zip(names.kwonlyargs, names.kw_defaults, strict=True):
            found[arg.arg] = UNKNOWN if keyword_default is None else Written(keyword_default, outer)
    for name, value in zip(positional[skip:], call.args, strict=False):
        if isinstance(value, ast.Starred):
            break
        found[name] = Written(value, caller)
    for keyword in call.keywords:
        if keyword.arg is not None and keyword.arg in found:
            found[keyword.arg] = Written(keyword.value, caller)
    return found


def _name(node: ast.Name, scope: Scope, seen: Seen) -> Iterator[object]:
    for value in scope.values(node.id):
        if isinstance(value, Written):
            yield from objects(value.node, value.scope, seen)
        elif isinstance(value, Live):
            yield value.value
        elif isinstance(value, Closure) and isinstance(value.scope.block, ast.Module):
            # A function of the module itself: the live one, with whatever its decorators made of it.
            yield value.scope.namespace.get(node.id, value)
        else:
            yield value


def _attribute(node: ast.Attribute, scope: Scope, seen: Seen) -> Iterator[object]:
    if isinstance(node.value, ast.Name) and node.value.id == scope.first and scope.instance is not None:
        yield _member(scope.instance, node.attr)
        return
    for holder in objects(node.value, scope, seen):
        yield _member(holder, node.attr)


def _choice(node: ast.IfExp | ast.BoolOp, scope: Scope, seen: Seen) -> Iterator[object]:
    for part in node.values if isinstance(node, ast.BoolOp) else (node.body, node.orelse):
        yield from objects(part, scope, seen)


def _lambda(node: ast.Lambda, scope: Scope, _: Seen) -> Iterator[object]:
    yield Closure(node, scope)


def _subscript(node: ast.Subscript, scope: Scope, seen: Seen) -> Iterator[object]:
    for holder in objects(node.value, scope, seen):
        yield from _entries(holder)


def _table(node: ast.Dict, scope: Scope, seen: Seen) -> Iterator[object]:
    yield Table(tuple(found for item in node.values for found in objects(item, scope, seen)))


def _partial(node: ast.Call, scope: Scope, seen: Seen) -> Iterator[object]:
    if node.args and all(found is partial for found in objects(node.func, scope, seen)):
        yield from objects(node.args[0], scope, seen)
    else:
        yield UNKNOWN


_FINDERS: dict[type[ast.expr], Callable[..., Iterator[object]]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.IfExp: _choice,
    ast.BoolOp: _choice,
    ast.Lambda: _lambda,
    ast.Subscript: _subscript,
    ast.Dict: _table,
    ast.Call: _partial,
}


def _entries(holder: object) -> Iterator[object]:
    if isinstance(holder, Table):
        yield from holder.entries
    elif type(holder) is dict:
        yield from holder.values()
    else:
        yield UNKNOWN


def _member(holder: object, name: str) -> object:
    if isinstance(holder, ModuleType):
        return vars(holder).get(name, sys.modules.get(f"{holder.__name__}.{name}", UNKNOWN))
    if not isinstance(holder, type):
        return UNKNOWN
    found = inspect.getattr_static(holder, name, UNKNOWN)
    if isinstance(found, classmethod):
        return MethodType(found.__func__, holder)
    return found.__func__ if isinstance(found, staticmethod) else found
