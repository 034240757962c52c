"""Our place in PyTorch's stack of function modes.

A `TorchFunctionMode` sees every call of the public API with its Python arguments. Ours lies at the bottom of the
stack, below the modes that the user enters (`with torch.device(...)` is one), so that theirs keep nesting as written.
"""

from typing import ClassVar

import torch
from torch.overrides import TorchFunctionMode


def _unwind() -> list[TorchFunctionMode]:
    """Take all modes off this thread's stack, top first."""
    return [torch._C._pop_torch_function_stack() for _ in range(torch._C._len_torch_function_stack())]


def present(mode: TorchFunctionMode) -> bool:
    """Whether `mode` is on this thread's stack now (it is not while it handles a call)."""
    stack = range(torch._C._len_torch_function_stack())
    return any(torch._C._get_function_stack_at(i) is mode for i in stack)


def push_bottom(mode: TorchFunctionMode) -> None:
    """Put `mode` below all others on this thread's stack."""
    above = _unwind()
    torch._C._push_on_torch_function_stack(mode)
    for other in reversed(above):
        torch._C._push_on_torch_function_stack(other)


def remove(mode: TorchFunctionMode) -> bool:
    """Take `mode` off this thread's stack; False when it was not there."""
    if not present(mode):
        return False
    for other in reversed([other for other in _unwind() if other is not mode]):
        torch._C._push_on_torch_function_stack(other)
    return True


class Suspended:
    """Context in which `mode` is off the stack, so that PyTorch takes exactly the path that it takes without us.

    Some of its code asks whether any mode is active (`nn.TransformerEncoderLayer` leaves its fused path then).
    """

    __slots__ = ("_mode", "_removed")

    def __init__(self, mode: TorchFunctionMode) -> None:
        self._mode = mode
        self._removed = False

    def __enter__(self) -> None:
        pop, push, size = (
            torch._C._pop_torch_function_stack,
            torch._C._push_on_torch_function_stack,
            torch._C._len_torch_function_stack,
        )
        if size() == 1:  # the usual case, and the fast one
            top = pop()
            self._removed = top is self._mode
            if not self._removed:
                push(top)
        else:
            self._removed = remove(self._mode)

    def __exit__(self, *_: object) -> None:
        if self._removed:
            self._removed = False
            if torch._C._len_torch_function_stack():
                push_bottom(self._mode)
            else:
                torch._C._push_on_torch_function_stack(self._mode)


class Resumed:
    """Context within `Suspended` in which `mode` is on the stack again: the user's own code runs there."""

    __slots__ = ("_mode", "_pushed")

    def __init__(self, mode: TorchFunctionMode) -> None:
        self._mode = mode
        self._pushed = False

    def __enter__(self) -> None:
        self._pushed = not present(self._mode)
        if self._pushed:
            push_bottom(self._mode)

    def __exit__(self, *_: object) -> None:
        if self._pushed:
            remove(self._mode)


class quiet:  # noqa: N801 - read as a verb, like contextlib's
    """Context in which no observer looks at what is called: one of them is at work."""

    active: ClassVar[bool] = False

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before, quiet.active = quiet.active, True

    def __exit__(self, *_: object) -> None:
        quiet.active = self._before


def elsewhere() -> bool:
    """Whether a top-level call is no forward pass: a checkpoint recomputes within backward, or a tracer records."""
    return torch._C._current_graph_task_id() != -1 or torch._C._get_tracing_state() is not None


def frugal() -> bool:
    """Whether the program decides itself what autograd keeps (checkpointing, offloading): we keep nothing then."""
    return torch._C._autograd._top_saved_tensors_default_hooks(False) is not None
