"""How the numba kernels are compiled: the options and their reasons, in one place."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

#: Everything of LLVM's fast-math that lets a reduction be vectorised (reordering, fused multiply-add, no sign of
#: zero), without `nnan` and `ninf`: those let the compiler assume that the values we look for do not occur.
FASTMATH: Final = frozenset({"nsz", "arcp", "contract", "afn", "reassoc"})

#: Stands in the names of cached functions: numba recompiles a function when its own file changes, but not when the
#: file of a function that it calls does.
_SOURCES: Final = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("numba_*.py")))
).hexdigest()[:12]

_OPTIONS: Final[dict[str, Any]] = {
    "fastmath": set(FASTMATH),
    "nogil": True,  # the training loop's other threads go on while a pass reads
    "error_model": "numpy",  # no test for division by zero inside loops
}


def helper(function: F) -> F:
    """Compile a function that only other kernels call: it is compiled into each of them, so it is not cached."""
    compiled: F = numba.njit(**_OPTIONS)(function)
    return compiled


class Cache:
    """Whether compiled passes are kept on disk for later processes; where they are not, the reason."""

    refusal: str | None = None

    @classmethod
    def refuse(cls, error: Exception) -> None:
        """Compile from now on for this process alone."""
        if cls.refusal is None:
            text = " ".join(str(error).split())
            cls.refusal = (
                "Compiled kernels cannot be kept on disk, so each process compiles them anew "
                f"({type(error).__name__}: {text}); NUMBA_CACHE_DIR can name a folder for them."
            )


def kernel(function: F) -> F:
    """Compile a pass on its first call for each dtype, and keep the machine code for later processes.

    numba looks for `__pycache__` beside the source, then for the user's cache folder; where neither can be
    written, each process compiles for itself.
    """
    function.__qualname__ = f"{function.__qualname__}-{_SOURCES}"
    if Cache.refusal is None:
        try:
            kept: F = numba.njit(cache=True, **_OPTIONS)(function)
        except (RuntimeError, OSError) as error:  # numba found no folder that it can write
            Cache.refuse(error)
        else:
            return kept
    compiled: F = numba.njit(**_OPTIONS)(function)
    return compiled


def instruction(build: Callable[..., Any]) -> Any:
    """Make a function of a few LLVM instructions that kernels can call; `build` types it and emits them."""
    return intrinsic(build)
