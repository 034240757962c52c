"""The few places of PyTorch that are replaced while at least one observer is active, and put back after the last.

Official hooks serve where they exist (optimizer steps); the rest are attributes that PyTorch looks up at each call:

1. `torch.autograd.backward`: the loss, and where backward was called. `Tensor.backward` goes through it too.
2. `Optimizer.__init__`: where optimizers are made. `Optimizer.zero_grad` and `Module.zero_grad`: whether gradients
   are ever reset.
3. `DataLoader` iteration: epochs, and no probing of the loading itself.
4. `GradScaler.scale` and `GradScaler.step`: the loss before scaling, and steps that the scaler leaves out.
"""

import functools
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any, Protocol

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader
from torch.utils.data import dataloader as loading

from hypocenter.probes.fx.work import Work


class Listener(Protocol):
    """What an observer wants to hear of training."""

    def suspended(self) -> Any:
        """A context in which the observer's function mode is off the stack."""

    @property
    def work(self) -> Work:
        """The context for what is done on hearing of something: no failure of it reaches the program."""

    def before_backward(self, roots: Any, frame: FrameType) -> None:
        """Backward is about to run from `roots`; `frame` is its caller."""

    def after_backward(self) -> None:
        """Backward has ended, or raised."""

    def before_step(self, optimizer: torch.optim.Optimizer, frame: FrameType, closure: bool) -> None:
        """An optimizer is about to change its parameters; `frame` is on the way from the user's call.

        With a closure the gradients are made within the step.
        """

    def resumed(self) -> Any:
        """A context within an optimizer's step in which the observer's function mode is on the stack again."""

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has changed its parameters."""

    def optimizer_made(self, optimizer: torch.optim.Optimizer, frame: FrameType) -> None:
        """An optimizer was constructed; `frame` is the caller of its class."""

    def gradients_zeroed(self, owner: torch.optim.Optimizer | torch.nn.Module) -> None:
        """The gradients of `owner` were reset."""

    def epoch_began(self, loader: Any) -> None:
        """A data loader starts from its beginning."""

    def loss_scaled(self, loss: Any, scaled: Any) -> None:
        """A GradScaler multiplied the loss."""

    def step_skipped(self) -> None:
        """A GradScaler left a step out because gradients were not finite."""


_listeners: list[Listener] = []
_undo: list[Callable[[], None]] = []


def add(listener: Listener) -> None:
    """Tell `listener` of training events from now on."""
    if not _listeners:
        _install()
    _listeners.append(listener)


def discard(listener: Listener) -> None:
    """Stop telling `listener`; the last one to go restores PyTorch."""
    if listener in _listeners:
        _listeners.remove(listener)
        if not _listeners:
            while _undo:
                _undo.pop()()
            _steps.clear()


def active() -> bool:
    """Whether anything of PyTorch is replaced now."""
    return bool(_undo)


def _replace(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    own = name in vars(owner)
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))
    _undo.append((lambda: setattr(owner, name, original)) if own else (lambda: delattr(owner, name)))


def _install() -> None:
    _replace(torch.autograd, "backward", _backward)
    _replace(torch.optim.Optimizer, "__init__", _optimizer_init)
    _replace(torch.optim.Optimizer, "zero_grad", _zero_grad)
    _replace(torch.nn.Module, "zero_grad", _zero_grad)
    _replace(DataLoader, "__iter__", _loader_iter)
    _replace(loading._BaseDataLoaderIter, "__next__", _loader_next)
    _replace(torch.amp.GradScaler, "scale", _scale)
    _replace(torch.amp.GradScaler, "step", _scaler_step)
    handles = (
        register_optimizer_step_pre_hook(_before_step),
        register_optimizer_step_post_hook(_after_step),
    )
    _undo.extend(handle.remove for handle in handles)


def _all_suspended() -> ExitStack:
    stack = ExitStack()
    for listener in _listeners:
        stack.enter_context(listener.suspended())
    return stack


def _backward(original: Callable[..., Any]) -> Callable[..., Any]:
    def backward(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return original(*args, **kwargs)
        frame = sys._getframe(1)
        with _all_suspended():
            for listener in _listeners:
                with listener.work:
                    listener.before_backward(args[0] if args else kwargs.get("tensors"), frame)
            try:
                return original(*args, **kwargs)
            finally:
                for listener in _listeners:
                    with listener.work:
                        listener.after_backward()

    return backward


def _optimizer_init(original: Callable[..., Any]) -> Callable[..., Any]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - replaces the method of that name
        original(self, *args, **kwargs)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is self:
            frame = frame.f_back  # a subclass's own __init__
        if frame is not None:
            for listener in _listeners:
                with listener.work:
                    listener.optimizer_made(self, frame)

    return __init__


def _zero_grad(original: Callable[..., Any]) -> Callable[..., Any]:
    def zero_grad(self: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return original(self, *args, **kwargs)
        with _all_suspended():
            for listener in _listeners:
                with listener.work:
                    listener.gradients_zeroed(self)
            return original(self, *args, **kwargs)

    return zero_grad


def _loader_iter(original: Callable[..., Any]) -> Callable[..., Any]:
    def __iter__(self: Any) -> Any:  # noqa: N807 - replaces the method of that name
        with _all_suspended():
            for listener in _listeners:
                with listener.work:
                    listener.epoch_began(self)
            return original(self)

    return __iter__


def _loader_next(original: Callable[..., Any]) -> Callable[..., Any]:
    def __next__(self: Any) -> Any:  # noqa: N807 - replaces the method of that name
        with _all_suspended():
            return original(self)

    return __next__


def _scale(original: Callable[..., Any]) -> Callable[..., Any]:
    def scale(self: Any, outputs: Any) -> Any:
        with _all_suspended():
            scaled = original(self, outputs)
        for listener in _listeners:
            with listener.work:
                listener.loss_scaled(outputs, scaled)
        return scaled

    return scale


def _scaler_step(original: Callable[..., Any]) -> Callable[..., Any]:
    def step(self: Any, optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> Any:
        before = _steps.get(id(optimizer), 0)
        with _all_suspended():
            result = original(self, optimizer, *args, **kwargs)
        if self.is_enabled() and _steps.get(id(optimizer), 0) == before:
            for listener in _listeners:
                with listener.work:
                    listener.step_skipped()
        return result

    return step


_steps: dict[int, int] = {}  # steps seen per optimizer while patched: tells a scaler's skipped step from a taken one


def _before_step(optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    _steps[id(optimizer)] = _steps.get(id(optimizer), 0) + 1
    frame = sys._getframe(1)
    closure = args[1] if len(args) > 1 else kwargs.get("closure")
    for listener in _listeners:
        with listener.work:
            listener.before_step(optimizer, frame, callable(closure))
    if not callable(closure):
        return None
    if len(args) > 1:
        return (args[0], _watched(closure), *args[2:]), kwargs
    return args, {**kwargs, "closure": _watched(closure)}


def _watched(closure: Callable[[], Any]) -> Callable[[], Any]:
    @functools.wraps(closure)
    def watched() -> Any:
        with ExitStack() as stack:
            for listener in _listeners:
                stack.enter_context(listener.resumed())
            return closure()

    return watched


def _after_step(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    for listener in _listeners:
        with listener.work:
            listener.after_step(optimizer)
