"""Where the layers of a finished model were defined, found in the source after the fact.

The model's live classes say which source to read, and its tree says what to look for: the expression that made the
module at `encoder.layers.0` is found by following assignments, containers, loops and helper functions from the owner.
A place that the source leaves open is a range of lines over everything that it may be, or None when even that is not
known. The answers agree with those of frames (`hypocenter.lower.fx.construction`), which are recorded while the
program runs and are exact.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

from hypocenter.ir.frames import site_of, source_path, user_frame
from hypocenter.ir.site import Site
from hypocenter.ir.sources import Function, own_nodes
from hypocenter.lower.callees import bind, objects
from hypocenter.lower.children import Children, Held
from hypocenter.lower.containers import container_of
from hypocenter.lower.files import Files
from hypocenter.lower.origins import Found, ModuleTree, makes
from hypocenter.lower.scopes import Scope

MAX_CALLS = 8  # functions of the user's that a model is followed through


class Definitions:
    """Definition sites of the modules of one model.

    Args:
        root: The model.
        calls: The user's call that received the model, such as `hypocenter.instrument(model)`, or several: that one
            first, then the call of the function that it stands in, and so on outwards. The first argument is followed
            to where it was made. Where that ends in something unknown, all constructor calls of the model's class in
            the files of the calls are considered, or in all of the user's files without calls.
        namespace: Globals at the first call, where its file is not an imported module (a notebook).
    """

    def __init__(
        self,
        root: ModuleTree,
        calls: Site | Sequence[Site] = (),
        namespace: Mapping[str, object] | None = None,
    ) -> None:
        self._root = root
        self._calls = [calls] if isinstance(calls, Site) else list(calls)
        self._files = Files([source_path(call.file) for call in self._calls], namespace)
        self._children = Children(self._files)
        self._held: dict[str, Held] = {}

    @classmethod
    def of(
        cls,
        model: Any,
        calls: Site | Sequence[Site] = (),
        namespace: Mapping[str, object] | None = None,
    ) -> "Definitions":
        """The definitions of a live `torch.nn.Module`; arguments as for the class."""
        return cls(ModuleTree.of(model), calls, namespace)

    @classmethod
    def at(cls, model: Any, frame: FrameType) -> "Definitions":
        """The definitions of a live `torch.nn.Module` that the user's code passes to hypocenter in this frame."""
        inner = user_frame(frame)
        frames: list[FrameType] = []
        while inner is not None and len(frames) < MAX_CALLS:
            frames.append(inner)
            inner = user_frame(inner.f_back)
        if not frames:
            return cls.of(model)
        return cls.of(model, [site_of(user) for user in frames], frames[0].f_globals)

    def site(self, path: str) -> Site | None:
        """The definition site of the module at a dotted path (empty for the model itself).

        Returns:
            An exact span, a range of lines without columns that holds the place, or None.

        Raises:
            KeyError: There is no module at the path.
        """
        return self._at(path).made.site()

    def _at(self, path: str) -> Held:
        if path not in self._held:
            self._held[path] = self._look(path) if path else Held(self._root, self._find_root())
        return self._held[path]

    def _look(self, path: str) -> Held:
        owner_path, _, name = path.rpartition(".")
        owner = self._at(owner_path)
        return Held(owner.tree.children[name], self._children.find(owner, name), name, owner.tree)

    def _find_root(self) -> Found:
        received = self._received()
        if received is not None and received.candidates and not received.unknown:
            return received
        found = Found()
        for scope in self._files.scopes(self._root.type.__name__):
            if not self._calls or scope.source.path in self._files.named:
                for node in own_nodes(scope.block):
                    found.merge(self._made_at(node, scope))
        found.unknown |= not found.candidates
        return found

    def _made_at(self, node: ast.AST, scope: Scope) -> Found:
        """The model, if this node of the source can have made it."""
        origins = self._children.origins
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and container_of(self._root.type):
            sliced = origins.resolve(node.value, scope, ModuleTree(self._root.type))
            return Found(unknown=bool(sliced.candidates))  # a part of a container is a new one, without a call
        if not isinstance(node, ast.Call) or not any(makes(made, self._root) for made in objects(node.func, scope)):
            return Found()
        if _is_in_module_class(scope):
            return Found()  # that one is a part of another model
        made = origins.resolve(node, scope, self._root)
        return made if not made.unknown and self._fits(made) else Found()

    def _received(self) -> Found | None:
        """What the first argument of the innermost call resolves to, through the calls around it."""
        outer: tuple[ast.Call, Scope] | None = None
        for call in reversed(self._calls):
            node, scope = self._call_at(call) or (None, None)
            if node is None or scope is None:
                outer = None
                continue
            if outer is not None and isinstance(scope.block, Function):
                bindings = bind(*outer, scope.block, scope, skip=int(scope.block in scope.source.methods))
                called = getattr(scope.block, "name", None) in _last_names(outer[0].func)
                scope = replace(scope, bindings=bindings) if called else scope
            outer = node, scope
        if outer is None:
            return None
        node, scope = outer
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "model")]
        return self._children.origins.resolve(given[0], scope, self._root) if given else None

    def _call_at(self, place: Site) -> tuple[ast.Call, Scope] | None:
        for scope in self._files.scopes(""):
            if scope.source.path == source_path(place.file):
                for node in own_nodes(scope.block):
                    if isinstance(node, ast.Call) and scope.source.span(node, place.role) == replace(
                        place, snippet=None
                    ):
                        return node, scope
        return None

    def _fits(self, made: Found) -> bool:
        """True when every direct child of the model may come from this construction."""
        held = Held(self._root, made)
        return all(not self._children.find(held, name).impossible for name in self._root.children)


def _is_in_module_class(scope: Scope) -> bool:
    written = scope.source.methods.get(scope.block)
    live = None if written is None else scope.namespace.get(written.name)
    return isinstance(live, type) and any(base.__module__ == "torch.nn.modules.module" for base in live.__mro__)


def _last_names(func: ast.expr) -> tuple[str, ...]:
    return (func.attr,) if isinstance(func, ast.Attribute) else (func.id,) if isinstance(func, ast.Name) else ()
