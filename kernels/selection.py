"""Chooses the kernels, and says in sentences why others were refused."""

import functools
import importlib
import os
import threading
from dataclasses import dataclass
from typing import Final

import numpy as np

from hypocenter.errors import BadInputError
from hypocenter.kernels.figures import WIDTH
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.reference import ReferenceKernels

#: The environment variable that forces an implementation.
VARIABLE: Final = "HYPOCENTER_KERNELS"

_lock: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Selection:
    """The kernels to use, and why: one sentence for each refusal or limitation."""

    kernels: Kernels
    reasons: list[str]


def select() -> Selection:
    """The fastest kernels that work here, or those that `HYPOCENTER_KERNELS` (`numpy` or `numba`) asks for.

    The first call imports numba and tries one pass: about 0.4 s, or 2 s where nothing is cached yet.

    Raises:
        BadInputError: when the variable names something else, or asks for numba and numba does not work.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in {"", "numpy", "numba"}:
        raise BadInputError(f"{VARIABLE} is {wanted!r}; it can be 'numpy' or 'numba'.", slug="kernels-variable")
    with _lock:
        chosen = _choose(wanted)
    if wanted == "numba" and chosen.kernels.name != "numba":
        raise BadInputError(f"{VARIABLE} is 'numba', but {chosen.reasons[0]}", slug="kernels-variable")
    return chosen


@functools.cache
def _choose(wanted: str) -> Selection:
    reference = ReferenceKernels()
    if wanted == "numpy":
        return Selection(reference, [f"numba was not tried, because {VARIABLE} is 'numpy'."])
    try:
        kernels, reasons = _numba()
    except Exception as error:  # noqa: BLE001 - whatever breaks numba, the reference serves and the reason is told
        return Selection(reference, [_refusal(error)])
    return Selection(kernels, reasons)


def _numba() -> tuple[Kernels, list[str]]:
    """The numba kernels after a trial; a second one without the cache, when the first one fails."""
    from hypocenter.kernels.numba_jit import Cache
    from hypocenter.kernels.numba_kernels import NumbaKernels

    kernels = NumbaKernels()
    try:
        _try(kernels)
    except Exception as error:  # noqa: BLE001 - a damaged cache or a full disk raises anything; the second trial decides
        without_cache(error)
        _try(kernels)
    return kernels, [Cache.refusal] if Cache.refusal else []


def without_cache(error: Exception) -> None:
    """Compile the passes anew for this process alone, because of an error that the cache may have caused."""
    from hypocenter.kernels import numba_passes
    from hypocenter.kernels.numba_jit import Cache

    Cache.refuse(error)
    importlib.reload(numba_passes)


def _try(kernels: Kernels) -> None:
    x = np.array([-1.5, 0.0, 2.0, np.nan, np.inf], np.float32)
    got, expected = np.empty(WIDTH), np.empty(WIDTH)
    kernels.statistics(x, got)
    ReferenceKernels().statistics(x, expected)
    if not np.array_equal(got, expected):
        raise ArithmeticError(f"a trial gave {got.tolist()} instead of {expected.tolist()}")


def _refusal(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed, so the slower numpy kernels serve."
    text = " ".join(str(error).split()) or "without a message"
    return f"numba does not work here ({type(error).__name__}: {text}), so the slower numpy kernels serve."
