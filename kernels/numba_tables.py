"""Passes over many float32 arrays in one call: all parameters of a model, without a call from Python for each."""

from typing import Any

import numpy as np
from numba import carray  # type: ignore[attr-defined]  # numba re-exports it by a star
from numba.core import cgutils, types

from hypocenter.kernels.numba_jit import instruction, kernel
from hypocenter.kernels.numba_passes import statistics, update_statistics


@instruction
def _pointer(typing_context: Any, address: Any) -> Any:
    """The memory at an address, as a pointer that `carray` takes."""
    del typing_context

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), emit


@kernel
def statistics_table(addresses: Any, sizes: Any, out: Any) -> None:
    """`statistics` of each array into its row of `out`."""
    for i in range(addresses.size):
        x = carray(_pointer(addresses[i]), (sizes[i],), np.float32)
        statistics(x, out[i], -np.inf, np.inf, False, True)


@kernel
def update_table(new: Any, previous: Any, sizes: Any, out_weight: Any, out_update: Any) -> None:
    """`update_statistics` of each pair of arrays into its rows of the two outputs."""
    for i in range(new.size):
        now = carray(_pointer(new[i]), (sizes[i],), np.float32)
        before = carray(_pointer(previous[i]), (sizes[i],), np.float32)
        update_statistics(now, before, out_weight[i], out_update[i], False, True)
