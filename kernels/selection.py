"""Chooses the kernels, and says in sentences why others were refused."""

import os
from dataclasses import dataclass
from typing import Final

from hypocenter.errors import BadInputError
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.reference import ReferenceKernels

#: The environment variable that forces an implementation.
VARIABLE: Final = "HYPOCENTER_KERNELS"


@dataclass(frozen=True, slots=True)
class Selection:
    """The kernels to use, and why: one sentence for each refusal or limitation."""

    kernels: Kernels
    reasons: list[str]


def select() -> Selection:
    """The fastest kernels that work here, or those that `HYPOCENTER_KERNELS` (`numpy` or `numba`) asks for.

    Raises:
        BadInputError: when the variable names something else.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in {"", "numpy", "numba"}:
        raise BadInputError(f"{VARIABLE} is {wanted!r}; it can be 'numpy' or 'numba'.", slug="kernels-variable")
    if wanted == "numpy":
        return Selection(ReferenceKernels(), [f"numba was not tried, because {VARIABLE} is 'numpy'."])
    try:
        from hypocenter.kernels.numba_jit import notes
        from hypocenter.kernels.numba_kernels import NumbaKernels
    except Exception as error:  # noqa: BLE001 - whatever breaks numba, the reference serves and the reason is told
        return Selection(ReferenceKernels(), [_refusal(error)])
    return Selection(NumbaKernels(), list(notes))


def _refusal(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"numba kernels were refused, because {error.name!r} is not installed; the slower numpy ones serve."
    text = " ".join(str(error).split()) or "no message"
    return (
        f"numba kernels were refused, because numba failed to load ({type(error).__name__}: {text}); "
        "the slower numpy ones serve."
    )
