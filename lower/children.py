"""From the place of a module to those of what it holds: attributes, elements of containers, a library's insides."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from hypocenter.ir.sources import own_nodes
from hypocenter.lower.additions import Addition, additions, of_key
from hypocenter.lower.callees import is_users_class
from hypocenter.lower.containers import Container, container_of
from hypocenter.lower.files import Files
from hypocenter.lower.methods import methods
from hypocenter.lower.origins import Candidate, Found, ModuleTree, Origins
from hypocenter.lower.scopes import UNKNOWN, Binding, Scope, Written

_CLONING = ("TransformerEncoder", "TransformerDecoder")  # their `layers` are deep copies of the first argument
_WRAPPED = frozenset({"module", "_orig_mod"})  # where DataParallel and torch.compile keep their first argument
# Methods of library classes that a subclass calls on itself and that make no layers.
_LAYERLESS = frozenset(
    {"post_init", "init_weights", "apply", "train", "eval", "to", "requires_grad_", "register_buffer",
     "register_parameter", "save_hyperparameters", "parameters", "named_parameters", "modules", "named_modules"}
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Held:
    """A module whose children are looked for.

    Args:
        tree: The module.
        made: The places that may have made it.
        name: Its name in its owner; empty for the model itself.
        around: Its owner, None for the model itself.
    """

    tree: ModuleTree
    made: Found
    name: str = ""
    around: ModuleTree | None = None


class Children:
    """Finds the places that may have made a child, given those of its owner."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.origins = Origins(self._attribute_values)

    def find(self, owner: Held, name: str) -> Found:
        """The places that may have made the child called `name`."""
        tree = owner.tree.children[name]
        if container_of(owner.tree.type) is not None:
            found = self._element(owner, name, tree)
        elif owner.tree.users:
            found = self._attribute(owner, name, tree)
        else:
            found = self._inside_library(owner, name, tree)
        self._from_outside(found, owner, name, tree)
        return found

    def _attribute(self, owner: Held, name: str, tree: ModuleTree) -> Found:
        found = Found()
        ways = [c if c.made == "constructor" else None for c in owner.made.candidates.values()] or [None]
        for way in ways:
            scopes, complete = methods(owner.tree.type, way)
            sure, might = _set_on_self(scopes, name)
            found.unknown |= not complete
            here = self.origins.any_of(sure, tree) if sure else _inherited(scopes, owner, tree)
            here.unknown |= not sure and here.impossible  # it is set in a way that is not seen
            found.merge(here)
            found.merge(self.origins.any_of(might, tree), surely=False)
        return found

    def _attribute_values(self, scope: Scope, name: str) -> list[Binding]:
        assert scope.instance is not None
        scopes, complete = methods(scope.instance, None, scope.constructed)
        sure, might = _set_on_self(scopes, name)
        return [*sure, *might] + ([] if complete and sure else [UNKNOWN])

    def _element(self, owner: Held, name: str, tree: ModuleTree) -> Found:
        found = Found(unknown=owner.made.unknown or not owner.made.candidates)
        for candidate in owner.made.candidates.values():
            if candidate.made == "clones":
                found.merge(self._argument(candidate, tree))
            elif candidate.made == "library":
                found.merge(_library_place(candidate, tree))
            else:
                sure, might = self._contents(owner, candidate, name)
                found.merge(self.origins.any_of(sure, tree))
                found.merge(self.origins.any_of(might, tree), surely=False)
        return found

    def _contents(self, owner: Held, candidate: Candidate, name: str) -> tuple[list[Binding], list[Binding]]:
        own, _ = methods(owner.tree.type, candidate)
        around, _ = methods(owner.around.type, None) if owner.around is not None else ([], True)
        later = [(a, scope) for scope in own for a in additions(scope.block) if _is(a.holder, scope.first)]
        later += self._files.additions_to(owner.name, around, candidate)
        return Container(owner.tree, candidate, own).contents(name, later)

    def _inside_library(self, owner: Held, name: str, tree: ModuleTree) -> Found:
        found = Found(unknown=owner.made.unknown)
        for candidate in owner.made.candidates.values():
            if name in _WRAPPED and (candidate.call.args or candidate.call.keywords):
                found.merge(self._argument(candidate, tree))
            elif owner.tree.type.__name__ in _CLONING and name == "layers" and candidate.made == "constructor":
                found.add(Candidate(candidate.call, candidate.scope, "clones"))
            else:
                found.merge(_library_place(candidate, tree))
                for value in (*candidate.call.args, *(keyword.value for keyword in candidate.call.keywords)):
                    found.merge(self.origins.resolve(value, candidate.scope, tree), surely=False)
        return found

    def _argument(self, candidate: Candidate, tree: ModuleTree) -> Found:
        call = candidate.call
        first = call.args[0] if call.args else call.keywords[0].value
        return self.origins.resolve(first, candidate.scope, tree)

    def _from_outside(self, found: Found, owner: Held, name: str, tree: ModuleTree) -> None:
        """Adds the places that replace the child from outside of its owner: `model.fc = nn.Linear(512, 10)`."""
        near = {path for path, _, _ in owner.made.candidates} | set(self._files.named)
        for addition, scope in self._files.replacements(name):
            if addition.value is None:
                continue
            named = isinstance(addition.key, ast.Constant) and not name.isdigit()
            # Something else may have a field of the same name: a gap is left only by what could be a module, and
            # stands where the program works with this model.
            surely = named and isinstance(addition.value, ast.Name | ast.Call) and scope.source.path in near
            found.merge(self.origins.resolve(addition.value, scope, tree), surely=surely)


def _library_place(candidate: Candidate, tree: ModuleTree) -> Found:
    """What a library makes it makes where it is called; a class of the user's it got from somewhere else."""
    found = Found(unknown=tree.users)
    if not tree.users:
        found.add(Candidate(candidate.call, candidate.scope, "library"))
    return found


def _set_on_self(scopes: list[Scope], name: str) -> tuple[list[Binding], list[Binding]]:
    """What methods set an attribute of their object to: surely, and perhaps."""
    placed = [
        (addition, scope)
        for scope in scopes
        for addition in additions(scope.block)
        if addition.how == "set" and _is(addition.holder, scope.first)
    ]
    sure, might = of_key([addition for addition, _ in placed], name)
    return [_value(*placed[index]) for index in sure], [_value(*placed[index]) for index in might]


def _inherited(scopes: list[Scope], owner: Held, tree: ModuleTree) -> Found:
    """The places where a class of the user's lets its library base make layers, such as `super().__init__(config)`."""
    found = Found()
    bases = [base for base in owner.tree.type.__mro__ if _makes_layers(base)]
    if not bases:
        return found
    if not any(getattr(scope.block, "name", "") == "__init__" for scope in scopes):
        for candidate in owner.made.candidates.values():
            found.merge(_library_place(candidate, tree))
    for scope in scopes:
        for call in _calls_on_self(scope):
            assert isinstance(call.func, ast.Attribute)
            name = call.func.attr
            if name not in _LAYERLESS and any(name in vars(base) for base in bases):
                found.merge(_library_place(Candidate(call, scope, "library"), tree))
    return found


def _makes_layers(base: type) -> bool:
    return not is_users_class(base) and base.__module__ not in ("torch.nn.modules.module", "builtins", "typing", "abc")


def _calls_on_self(scope: Scope) -> Iterator[ast.Call]:
    for node in own_nodes(scope.block):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=holder))) if holder == scope.first:
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")))):
                yield node


def _value(addition: Addition, scope: Scope) -> Binding:
    return UNKNOWN if addition.value is None else Written(addition.value, scope)


def _is(node: ast.expr, name: str | None) -> bool:
    return isinstance(node, ast.Name) and node.id == name
