"""How calls of modules reach an observer: module by module for a model, or all modules of the process."""

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import nn

from hypocenter.probes.fx.observer import Observer

_SLOT = "_compiled_call_impl"


class Interceptor:
    """Stands in a module's own call slot (the one that `Module.compile` uses) and passes calls to the observer.

    PyTorch leaves the slot out when a module is pickled or copied, so copies are plain modules.

    Args:
        observer: Where calls go.
        module: The module; held weakly, so that its life ends when it did before.
        original: What stood in the slot: the compiled call of a module that the user compiled in place, or the
            interceptor of another observer.
    """

    __slots__ = ("_module", "compiled", "observer", "original")

    def __init__(self, observer: Observer, module: nn.Module, original: Callable[..., Any] | None) -> None:
        self.observer = observer
        self._module = weakref.ref(module)
        self.original = original
        self.compiled: bool = getattr(original, "compiled", original is not None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        module = self._module()
        if module is None:
            raise ReferenceError("a probed module was called after it was deleted")
        run = self.original or module._call_impl
        if torch.compiler.is_compiling():
            return run(*args, **kwargs)
        return self.observer.module_call(module, run, args, kwargs)

    def __reduce__(self) -> Any:
        """Leave the slot empty in the copy, for modules whose own `__getstate__` hands it on."""
        return type(None), ()


def intercept(observer: Observer, model: nn.Module) -> None:
    """Let every module of `model` report its calls to `observer`."""
    for module in model.modules():
        module.__dict__[_SLOT] = Interceptor(observer, module, module.__dict__.get(_SLOT))


def release(observer: Observer, modules: Iterable[nn.Module]) -> None:
    """Undo `intercept` for these modules; interceptors of other observers stay."""
    for module in modules:
        outer, slot = None, module.__dict__.get(_SLOT)
        while isinstance(slot, Interceptor) and slot.observer is not observer:
            outer, slot = slot, slot.original
        if not isinstance(slot, Interceptor):
            continue
        if outer is not None:
            outer.original = slot.original
        elif slot.original is not None:
            module.__dict__[_SLOT] = slot.original
        else:
            del module.__dict__[_SLOT]


class Everywhere:
    """Lets all modules of the process report their calls, from `start` to `stop`.

    Args:
        observer: Where calls go.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._original: Callable[..., Any] | None = None

    def start(self) -> None:
        """Replace `nn.Module.__call__`."""
        original = nn.Module.__call__
        observer = self._observer

        def __call__(self: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - replaces the method of that name
            if torch.compiler.is_compiling():
                return original(self, *args, **kwargs)
            return observer.module_call(self, partial(original, self), args, kwargs)

        self._original = original
        nn.Module.__call__ = __call__  # type: ignore[method-assign]  # the one place where every call passes

    def stop(self) -> None:
        """Put `nn.Module.__call__` back."""
        if self._original is not None:
            nn.Module.__call__ = self._original  # type: ignore[method-assign]
            self._original = None
