"""Where each module of a running program was constructed, seen from the frames that construct it.

While active, `torch.nn.Module.__init__` is wrapped, and `__setstate__` too, because `copy.deepcopy` and unpickling make
modules without a constructor. Nothing is stored on the modules, no random number is drawn, and the places are kept
only as long as their modules live.
"""

import copy
import functools
import sys
import weakref
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, Self

from torch import nn

from hypocenter.ir.frames import site_of, user_frame
from hypocenter.ir.site import Site

MAX_CHAIN = 3  # places kept per module: the constructor call, and the calls of the helper functions around it
MAX_CALL_DEPTH = 12  # library frames (decorators, containers that read generators) between two calls of the user's
MAX_CONSTRUCTOR_DEPTH = 32  # frames between `nn.Module.__init__` and the outermost `__init__` of the same object

_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_VARARGS = 0x04  # code flag: the function takes *args
_COPY = copy._reconstruct.__code__  # type: ignore[attr-defined]  # the frame that holds the original of a deep copy


class ConstructionSites:
    """Records, between `install` and `uninstall` (or as a context), where every `nn.Module` is made.

    The place of a module is the span of the user's call expression that made it: `nn.Linear(4, 2)` wherever it is
    written (an attribute, an argument of `nn.Sequential`, a loop, a helper function), or, for a module that library
    code makes, the user's call of the library. A deep copy has the place of its original, a module that was
    unpickled the line that loads it.
    """

    def __init__(self) -> None:
        self._chains: dict[int, tuple[weakref.ref[nn.Module], tuple[Site, ...]]] = {}
        self._patches: list[tuple[str, Callable[..., Any], Callable[..., Any]]] = []

    def __enter__(self) -> Self:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self.uninstall()

    def __len__(self) -> int:
        return len(self._chains)

    @property
    def active(self) -> bool:
        """True between `install` and `uninstall`."""
        return bool(self._patches)

    def install(self) -> None:
        """Start recording; a second call changes nothing."""
        if self.active:
            return
        for name, record in (("__init__", self._constructed), ("__setstate__", self._restored)):
            original = nn.Module.__dict__[name]
            observed = _observed(original, record)
            setattr(nn.Module, name, observed)
            self._patches.append((name, original, observed))

    def uninstall(self) -> None:
        """Stop recording and put the methods of `nn.Module` back; what was recorded stays.

        A method that somebody else has wrapped meanwhile is left in place: ours, inside of it, records no more.
        """
        patches, self._patches = self._patches, []
        for name, original, observed in patches:
            if nn.Module.__dict__[name] is observed:
                setattr(nn.Module, name, original)

    def chain(self, module: nn.Module) -> tuple[Site, ...]:
        """The module's place, then the user's lines that called the function it is in, up to a constructor.

        Empty for a module that was not seen. The second and later ones belong in a finding's `related`.
        """
        known = self._chains.get(id(module))
        return known[1] if known is not None and known[0]() is module else ()

    def modules(self) -> Iterator[nn.Module]:
        """Every module that was seen to be made and is still alive."""
        for reference, _ in list(self._chains.values()):
            module = reference()
            if module is not None:
                yield module

    def site_for(self, module: nn.Module, path: str, root: nn.Module) -> Site | None:
        """The definition site of `module`, which `root` holds at `path` (dotted, empty for the root itself).

        A module that nobody was seen to make has the place of its nearest ancestor that has one: it came with it.
        """
        for candidate in (module, *_ancestors(root, path)):
            chain = self.chain(candidate)
            if chain:
                return chain[0]
        return None

    def _constructed(self, module: nn.Module, frame: FrameType) -> None:
        if self._patches and not self.chain(module):
            self._remember(module, _places(_maker(module, frame)))

    def _restored(self, module: nn.Module, frame: FrameType) -> None:
        if not self._patches or self.chain(module):
            return
        while frame.f_code.co_name == "__setstate__" and frame.f_back is not None:
            frame = frame.f_back  # overrides that call super().__setstate__
        original = frame.f_locals.get("x") if frame.f_code is _COPY else None
        chain = self.chain(original) if isinstance(original, nn.Module) else ()
        self._remember(module, chain or _places(frame))

    def _remember(self, module: nn.Module, chain: tuple[Site, ...]) -> None:
        key, chains = id(module), self._chains  # by identity: modules may define __eq__ and __hash__
        if chain:
            chains[key] = (weakref.ref(module, lambda _: chains.pop(key, None)), chain)


def _observed(original: Callable[..., Any], record: Callable[[nn.Module, FrameType], None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def observed(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        record(self, sys._getframe(1))

    return observed


def _maker(module: nn.Module, frame: FrameType) -> FrameType | None:
    """The frame that evaluates the constructor call, given the one that called `nn.Module.__init__`.

    Between the two lie the `__init__` methods of the object's classes and whatever they call on the way.
    """
    init = type(module).__init__
    code = getattr(init, "__code__", None)
    outer = frame if init is nn.Module.__init__ else _caller_of(code, frame) or frame
    if getattr(init, "__wrapped__", None) is not None and init is not nn.Module.__init__:
        # A decorator gives every class the same code, so only the object tells whose frame it is.
        while outer.f_back is not None and _first_argument(outer) is module:
            outer = outer.f_back
    metaclass_call = getattr(type(type(module)).__call__, "__code__", None)
    return outer.f_back if outer.f_code is metaclass_call else outer


def _caller_of(code: CodeType | None, frame: FrameType | None) -> FrameType | None:
    """The frame that called the nearest run of `code`, or None."""
    for _ in range(MAX_CONSTRUCTOR_DEPTH):
        if frame is None:
            return None
        if frame.f_code is code:
            return frame.f_back
        frame = frame.f_back
    return None


def _first_argument(frame: FrameType) -> object:
    code = frame.f_code
    if code.co_argcount:
        return frame.f_locals.get(code.co_varnames[0])
    if code.co_flags & _VARARGS:
        rest = frame.f_locals.get(code.co_varnames[code.co_kwonlyargcount], ())
        return rest[0] if rest else None
    return None


def _places(frame: FrameType | None) -> tuple[Site, ...]:
    """The user's places from a frame outwards, up to the constructor or the top-level code that they belong to."""
    places: list[Site] = []
    inner = ""
    within = sys.maxsize  # a library may make layers deep inside of itself, but callers are next to their callees
    while len(places) < MAX_CHAIN and (frame := user_frame(frame, within)) is not None:
        within = MAX_CALL_DEPTH
        if inner not in _COMPREHENSIONS:  # the function around a comprehension is the same place again
            places.append(site_of(frame, "definition"))
        inner = frame.f_code.co_name
        if inner in ("__init__", "<module>"):
            break
        frame = frame.f_back
    return tuple(places)


def _ancestors(root: nn.Module, path: str) -> list[nn.Module]:
    """The modules around the one at `path`, the nearest first."""
    around = []
    module: nn.Module | None = root
    for name in path.split(".") if path else ():
        if module is None:
            break
        around.append(module)
        module = module._modules.get(name)
    return around[::-1]
