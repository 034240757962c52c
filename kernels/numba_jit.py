"""How the numba kernels are compiled: the options and their reasons, in one place."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numba
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

#: Everything of LLVM's fast-math that lets a reduction be vectorised (reordering, fused multiply-add, no sign of
#: zero), without `nnan` and `ninf`: those let the compiler assume that the values we look for do not occur.
FASTMATH: Final = frozenset({"nsz", "arcp", "contract", "afn", "reassoc"})

#: Sentences about what the compiler could not do, for `hypocenter doctor`.
notes: Final[list[str]] = []

_OPTIONS: Final[dict[str, Any]] = {
    "fastmath": set(FASTMATH),
    "nogil": True,  # the training loop's other threads go on while a pass reads
    "error_model": "numpy",  # no test for division by zero inside loops
}


def helper(function: F) -> F:
    """Compile a function that only other kernels call: it is compiled into each of them, so it is not cached."""
    compiled: F = numba.njit(**_OPTIONS)(function)
    return compiled


def kernel(function: F) -> F:
    """Compile a pass on its first call for each dtype, and keep the machine code for later processes.

    numba looks for `__pycache__` beside the source, then for the user's cache folder; where neither can be
    written, each process compiles for itself.
    """
    try:
        compiled: F = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError as error:  # "no locator available": neither folder can be written
        sentence = f"compiled kernels cannot be kept for later processes, each compiles for itself ({error})"
        if not notes:
            notes.append(sentence)
        compiled = numba.njit(**_OPTIONS)(function)
    return compiled


def instruction(build: Callable[..., Any]) -> Any:
    """Make a function of a few LLVM instructions that kernels can call; `build` types it and emits them."""
    return intrinsic(build)
