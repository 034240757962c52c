"""What `nn.Sequential`, `nn.ModuleList` and `nn.ModuleDict` are given, when they are made and later."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hypocenter.ir.sources import own_nodes
from hypocenter.lower.additions import Addition, of_key
from hypocenter.lower.callees import constructor_of, is_users
from hypocenter.lower.collected import Items, arguments, elements, item
from hypocenter.lower.origins import Candidate, ModuleTree
from hypocenter.lower.scopes import UNKNOWN, Binding, Scope, Written

Kind = Literal["Sequential", "ModuleList", "ModuleDict"]
_KINDS: tuple[Kind, ...] = ("Sequential", "ModuleList", "ModuleDict")

Placed = tuple[Addition, Scope]


def container_of(kind: type) -> Kind | None:
    """Which of torch's containers a class is or derives from."""
    names = {base.__name__ for base in kind.__mro__ if base.__module__ == "torch.nn.modules.container"}
    return next((name for name in _KINDS if name in names), None)


@dataclass(frozen=True, eq=False)
class Container:
    """A container and the call that made it.

    Args:
        tree: The container.
        candidate: The constructor call.
        own: Scopes of the methods of its class, when that is a subclass of the user's.
    """

    tree: ModuleTree
    candidate: Candidate
    own: Sequence[Scope]

    def contents(self, name: str, later: Sequence[Placed]) -> tuple[list[Binding], list[Binding]]:
        """What the child called `name` may be, surely and perhaps.

        Args:
            name: Key, or index as a string.
            later: All that is added to the container after its construction.
        """
        sets = [placed for placed in later if placed[0].how == "set"]
        added = [placed for placed in later if placed[0].how != "set"]
        chosen, rest = of_key([addition for addition, _ in sets], name)
        values = self._keyed(name, added) if self._is_mapping else self._indexed(int(name), added)
        exact = [index for index in chosen if isinstance(sets[index][0].key, ast.Constant)]
        surely = chosen if not values else exact  # a computed key is the place only where nothing else is
        might = [*rest, *(index for index in chosen if index not in surely)]
        return values + [_value(*sets[index]) for index in surely], [_value(*sets[index]) for index in might]

    @property
    def _is_mapping(self) -> bool:
        names = list(self.tree.children)
        return container_of(self.tree.type) == "ModuleDict" or names != [str(index) for index in range(len(names))]

    def _given(self) -> Iterable[tuple[list[ast.expr], Scope]]:
        """Arguments of torch's constructor: those of the call, or of `super().__init__(…)` in a subclass."""
        if not is_users(constructor_of(self.tree.type)):
            call = self.candidate.call
            yield [*call.args, *(keyword.value for keyword in call.keywords)], self.candidate.scope
            return
        for scope in self.own:
            for node in own_nodes(scope.block):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__")):
                        yield node.args, scope
                    case ast.Call(func=ast.Attribute(attr="__init__"), args=[_, *rest]):
                        yield rest, scope

    def _keyed(self, name: str, added: Sequence[Placed]) -> list[Binding]:
        # A Sequential of several arguments has numbers for names; with others it is a slice of one, made elsewhere.
        given = [(args[0], scope) for args, scope in self._given() if len(args) == 1]
        merged = [(addition.value, scope) for addition, scope in added if addition.value is not None]
        return [value for node, scope in (*given, *merged) for value in item(node, scope, name)]

    def _indexed(self, index: int, added: Sequence[Placed]) -> list[Binding]:
        given = list(self._given())
        count = len(self.tree.children)
        starred = container_of(self.tree.type) == "Sequential"
        if not added and len(given) == 1:
            args, scope = given[0]
            if not args:
                return []
            return arguments(args, scope, index, count) if starred else elements(args[0], scope).at(index, count)
        first = Items.joined(
            [elements(ast.Tuple(args, ast.Load()) if starred else args[0], scope) for args, scope in given if args]
        )
        at_end = all(addition.how not in ("insert", "disturb") for addition, _ in added)
        if first.ordered is not None and at_end and index < len(first.ordered):
            return [first.ordered[index]]
        appended = [value for addition, scope in added for value in _appended(addition, scope)]
        return appended if first.ordered is not None and at_end else [*first.all, *appended]


def _appended(addition: Addition, scope: Scope) -> list[Binding]:
    if addition.how == "disturb":
        return []
    if addition.how == "extend" and addition.value is not None:
        return elements(addition.value, scope).all
    return [_value(addition, scope)]


def _value(addition: Addition, scope: Scope) -> Binding:
    return UNKNOWN if addition.value is None else Written(addition.value, scope)
