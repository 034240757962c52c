"""Reads parameters: their gradients, what an update changed, and the weights that the next step uses."""

import numpy as np
import torch

from hypocenter.kernels.figures import STATISTICS
from hypocenter.probes.fx import device
from hypocenter.probes.fx.meter import Meter
from hypocenter.probes.fx.registry import NEVER, Parameter, Registry
from hypocenter.probes.fx.tensors import FLOATING, as_array, plain
from hypocenter.probes.schema import INDEX, WIDTH, Phase


class Weights:
    """Measures parameters around updates.

    An update is told by comparing with a copy, so observing takes once more the memory of the trained parameters.
    The copy is renewed in the same pass over memory that measures the update.

    Args:
        meter: Measures tensors.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._scratch = np.zeros(WIDTH)

    def read_gradient(self, known: Parameter, tensor: torch.Tensor) -> None:
        """Record the gradient that the optimizer will use; of a sparse one its stored values."""
        gradient = tensor.grad
        if gradient is None:
            return
        if gradient.is_sparse:
            gradient = gradient._values()
        if gradient.dtype in FLOATING and plain(gradient):
            self._meter.value(gradient, known.probe, Phase.GRADIENT)

    def remember(self, known: Parameter, tensor: torch.Tensor) -> None:
        """Keep a copy to compare with, unless the one from the last update is still true."""
        if not _comparable(known.previous, tensor):
            known.previous = tensor.detach().clone(memory_format=torch.preserve_format)
            known.arrays = None
        elif known.version != tensor._version:
            known.previous.copy_(tensor.detach())  # type: ignore[union-attr]  # comparable, so not None
        known.version = tensor._version

    def correct(self, registry: Registry) -> None:
        """Record weights anew that were changed since they were recorded for this step: loaded, clipped, averaged."""
        for known, tensor in registry.parameters() if self._meter.full else ():
            if known.version not in (NEVER, tensor._version):
                self._meter.value(tensor, known.probe, Phase.WEIGHT)

    def read_update(self, known: Parameter, tensor: torch.Tensor, step: int, call: int) -> bool:
        """Record the update of this step and the weights of the next; True when anything changed."""
        previous = known.previous
        if not self._meter.full or previous is None or not _comparable(previous, tensor):
            return False
        subject = known.probe.subject
        if not self._meter.on_host(tensor):
            change = device.statistics(tensor.detach() - previous, -np.inf, np.inf)
            weights = device.statistics(tensor, -np.inf, np.inf)
            self._meter.pending.add(device.Key(step, max(call, 0), True, subject, Phase.UPDATE), change)
            self._meter.pending.add(device.Key(step + 1, 0, True, subject, Phase.WEIGHT), weights)
            previous.copy_(tensor.detach())
            changed = True
        else:
            weights_row = self._scratch
            row = self._meter.recorder.row(subject, Phase.UPDATE)
            dtype = "bfloat16" if tensor.dtype is torch.bfloat16 else None
            if known.arrays is None or known.arrays[0] != tensor.data_ptr():
                known.arrays = (tensor.data_ptr(), as_array(tensor), as_array(previous))
            _, now, before = known.arrays
            self._meter.kernels.update_statistics(now, before, weights_row, row, dtype)
            changed = bool(row[INDEX["absmax"]] > 0)
            self._meter.recorder.begin(step + 1, 0, True)
            self._meter.recorder.row(subject, Phase.WEIGHT)[: len(STATISTICS)] = weights_row[: len(STATISTICS)]
            self._meter.recorder.begin(step, max(call, 0), True)
        known.version = tensor._version
        return changed


def _comparable(previous: torch.Tensor | None, tensor: torch.Tensor) -> bool:
    """Whether the copy fits the parameter still: a model may be moved or cast in place."""
    return (
        previous is not None
        and previous.shape == tensor.shape
        and previous.device == tensor.device
        and previous.dtype == tensor.dtype
    )
