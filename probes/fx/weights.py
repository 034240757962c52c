"""Reads parameters: their gradients, what an update changed, and the weights that the next step uses."""

import numpy as np
import torch
from numpy.typing import NDArray

from hypocenter.kernels.figures import STATISTICS
from hypocenter.probes.fx import device
from hypocenter.probes.fx.meter import Meter
from hypocenter.probes.fx.registry import NEVER, Parameter, Registry
from hypocenter.probes.fx.tensors import FLOATING, as_array, plain
from hypocenter.probes.schema import INDEX, WIDTH, Phase

#: Parameters with their tensors.
Pairs = list[tuple[Parameter, torch.Tensor]]

#: Parameters read in one call: the recorder gives no more than 16,384 rows at once.
AT_ONCE = 4096


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

    def read_gradients(self, pairs: Pairs) -> None:
        """Record the gradients of many parameters: those in plain float32 memory in one call."""
        for start in range(0, len(pairs), AT_ONCE):
            self._read_gradients(pairs[start : start + AT_ONCE])

    def _read_gradients(self, pairs: Pairs) -> None:
        table = _Table()
        for known, tensor in pairs:
            gradient = tensor.grad
            if gradient is None:
                continue
            if self._meter.full and _tabular(gradient) and self._meter.on_host(gradient):
                table.add(known, gradient)
            else:
                self.read_gradient(known, tensor)
        if table:
            rows = self._meter.recorder.rows(table.subjects, Phase.GRADIENT)
            self._meter.kernels.statistics_table(table.addresses, table.sizes, rows)
            self._meter.judge(rows)

    def read_updates(self, pairs: Pairs, step: int, call: int) -> None:
        """Record the updates of many parameters, and the weights of the next step: most of them in one call."""
        for start in range(0, len(pairs), AT_ONCE):
            self._read_updates(pairs[start : start + AT_ONCE], step, call)

    def _read_updates(self, pairs: Pairs, step: int, call: int) -> None:
        now, before = _Table(), _Table()
        for known, tensor in pairs:
            if tensor.grad is None:
                continue
            previous = known.previous
            fits = self._meter.full and previous is not None and _comparable(previous, tensor)
            if (
                fits
                and previous is not None
                and _tabular(tensor)
                and previous.is_contiguous()
                and self._meter.on_host(tensor)
            ):
                now.add(known, tensor)
                before.add(known, previous)
                known.version = tensor._version
            else:
                self.read_update(known, tensor, step, call)
        if not now:
            return
        recorder = self._meter.recorder
        updates = recorder.rows(now.subjects, Phase.UPDATE)
        weights = np.empty(updates.shape)
        self._meter.kernels.update_table(now.addresses, before.addresses, now.sizes, weights, updates)
        recorder.begin(step + 1, 0, True)
        recorder.rows(now.subjects, Phase.WEIGHT)[:, : len(STATISTICS)] = weights[:, : len(STATISTICS)]
        recorder.begin(step, max(call, 0), True)

    def remember(self, known: Parameter, tensor: torch.Tensor) -> None:
        """Keep a copy to compare with, unless the one from the last update is still true."""
        if not _comparable(known.previous, tensor):
            known.previous = tensor.detach().clone(memory_format=torch.preserve_format)
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
            self._meter.kernels.update_statistics(as_array(tensor), as_array(previous), weights_row, row, dtype)
            changed = bool(row[INDEX["absmax"]] > 0)
            self._meter.recorder.begin(step + 1, 0, True)
            self._meter.recorder.row(subject, Phase.WEIGHT)[: len(STATISTICS)] = weights_row[: len(STATISTICS)]
            self._meter.recorder.begin(step, max(call, 0), True)
        known.version = tensor._version
        return changed


class _Table:
    """Tensors whose memory is read in one call; keeps them alive until it is gone."""

    def __init__(self) -> None:
        self._subjects: list[int] = []
        self._tensors: list[torch.Tensor] = []

    def __bool__(self) -> bool:
        return bool(self._tensors)

    def add(self, known: Parameter, tensor: torch.Tensor) -> None:
        """One more tensor, in the name of a parameter."""
        self._subjects.append(known.probe.subject)
        self._tensors.append(tensor)

    @property
    def subjects(self) -> NDArray[np.int32]:
        """Numbers of the parameters."""
        return np.array(self._subjects, np.int32)

    @property
    def addresses(self) -> NDArray[np.int64]:
        """Where the memory of each tensor begins."""
        return np.array([tensor.data_ptr() for tensor in self._tensors], np.int64)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Elements of each tensor."""
        return np.array([tensor.numel() for tensor in self._tensors], np.int64)


def _tabular(tensor: torch.Tensor) -> bool:
    """Whether the tensor's memory can be read by its address alone."""
    return (
        tensor.dtype is torch.float32
        and plain(tensor)
        and tensor.is_contiguous()
        and not tensor.is_neg()
        and tensor.numel() > 0
    )


def _comparable(previous: torch.Tensor | None, tensor: torch.Tensor) -> bool:
    """Whether the copy fits the parameter still: a model may be moved or cast in place."""
    return (
        previous is not None
        and previous.shape == tensor.shape
        and previous.device == tensor.device
        and previous.dtype == tensor.dtype
    )
