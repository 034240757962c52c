"""The methods of a live class, as scopes in which its instances are known."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import FunctionType

from hypocenter.ir.sources import own_nodes
from hypocenter.lower.callees import bind, body_of, constructor_of, is_users
from hypocenter.lower.origins import Candidate
from hypocenter.lower.scopes import Binding, Scope, parameter_names


def methods(
    kind: type, made: Candidate | None, constructed: Mapping[str, Binding] | None = None
) -> tuple[list[Scope], bool]:
    """Scopes of the methods that the user wrote for a class, and whether the source of all of them is at hand.

    A method of a base class counts unless an override hides it for good, that is, without calling it.

    Args:
        kind: The class.
        made: The constructor call, whose arguments the parameters of `__init__` are bound to.
        constructed: Those bindings, when they are already known.
    """
    if constructed is None:
        constructed = {} if made is None else _constructor_bindings(kind, made)
    scopes, complete = [], True
    for function in _visible(kind):
        body = body_of(function)
        names = () if body is None else parameter_names(body.block)
        if body is None or not names:
            complete &= body is not None
            continue
        bindings = {**body.bindings, **constructed} if function is constructor_of(kind) else body.bindings
        scopes.append(replace(body, bindings=bindings, instance=kind, first=names[0], constructed=constructed))
    return scopes, complete


def _constructor_bindings(kind: type, made: Candidate) -> Mapping[str, Binding]:
    init = constructor_of(kind)
    body = body_of(init) if isinstance(init, FunctionType) else None
    if body is None or isinstance(body.block, ast.Module):
        return {}
    return bind(made.call, made.scope, body.block, body, skip=1)


def _visible(kind: type) -> Iterator[FunctionType]:
    hidden: set[str] = set()
    for cls in kind.__mro__:
        for name, function in vars(cls).items():
            if not isinstance(function, FunctionType) or name in hidden or not is_users(function):
                continue
            yield function
            if not _calls_base(function, name):
                hidden.add(name)


def _calls_base(function: FunctionType, name: str) -> bool:
    body = body_of(function)
    if body is None:
        return True
    calls = (node.func for node in own_nodes(body.block) if isinstance(node, ast.Call))
    return any(isinstance(func, ast.Attribute) and func.attr == name for func in calls)
