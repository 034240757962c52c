"""The probe itself: reads one tensor and writes one row of the trace."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hypocenter.kernels import Kernels
from hypocenter.kernels.figures import STATISTICS
from hypocenter.probes.fx import device
from hypocenter.probes.fx.tensors import FLOATING, as_array, plain
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schema import INDEX, Phase

_UNITS, _DEAD, _SATURATED = INDEX["units"], INDEX["dead_units"], INDEX["saturated_units"]
_RELEVANCE, _SPREAD = INDEX["relevance"], INDEX["spread"]
_ZEROS, _LOW, _HIGH = INDEX["zeros"], INDEX["low"], INDEX["high"]
_NAN, _POSINF, _NEGINF = INDEX["nan"], INDEX["posinf"], INDEX["neginf"]


#: Elements from which on it pays to remember a gradient's figures.
WORTH_KEEPING = 16_384

#: Values of an output that are read for its spread: some 10 microseconds.
SPREAD_ELEMENTS = 4096


#: A value as a probe has seen it: its memory, not a copy. Its version tells whether it was changed since.
Seen = NDArray[Any] | torch.Tensor


def version(seen: Seen) -> int:
    """The version counter of the tensor whose memory this is."""
    return seen._version if isinstance(seen, torch.Tensor) else seen.base._version  # type: ignore[union-attr]  # numpy's base is the tensor


@dataclass(slots=True)
class Probe:
    """What is measured of one value.

    Args:
        subject: Index of the value's name in the recorder.
        low: Values at or below count as saturated.
        high: Values at or above count as saturated.
        axis: The unit axis when per-unit counts are wanted.
        zeros: Scratch: zeros per unit.
        saturated: Scratch: saturated values per unit.
        spread: It is an output of a model: measure how far its samples are apart.
        relevant: Measure the relevance of the value too, which keeps its memory until its gradient is there.
    """

    subject: int
    low: float = -np.inf
    high: float = np.inf
    axis: int | None = None
    zeros: NDArray[np.int64] | None = None
    saturated: NDArray[np.int64] | None = None
    spread: bool = False
    relevant: bool = False


def refusal(tensor: torch.Tensor) -> str | None:
    """Why this tensor cannot be measured, as a sentence; None when it can."""
    if tensor.dtype not in FLOATING:
        return f"its output is {tensor.dtype}, not a floating-point tensor"
    if not plain(tensor):
        return f"its output is a {type(tensor).__name__} with layout {tensor.layout}, which has no plain memory to read"
    return None


def spread(output: torch.Tensor) -> float:
    """The largest, over features, of max minus min over the batch (axis 0); 0 when all samples are alike.

    Of wide outputs (vocabularies, images) evenly spaced features are read, `SPREAD_ELEMENTS` values at most.
    """
    flat = output.detach().reshape(output.shape[0], -1)
    stride = -(-flat.numel() // SPREAD_ELEMENTS)
    if stride > 1:
        flat = flat[:, :: min(stride, flat.shape[1])]
    if not flat.numel():
        return 0.0
    # numpy, and not torch: a reduction this small is not worth waking torch's threads.
    values = (flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat.resolve_neg()).numpy()
    with np.errstate(over="ignore", invalid="ignore"):  # of infinities, or too far apart for the type
        return float((values.max(axis=0) - values.min(axis=0)).max())


class Same:
    """The gradient that was measured last. A sum hands one and the same tensor to all its terms: it is read once."""

    __slots__ = ("_version", "figures", "tensor")

    def __init__(self) -> None:
        self.tensor: torch.Tensor | None = None  # kept, so that no other tensor can have its memory
        self.figures: NDArray[np.float64] = np.zeros(len(STATISTICS))
        self._version = 0

    def keep(self, gradient: torch.Tensor, row: NDArray[np.float64]) -> None:
        """Remember a gradient and its figures."""
        self.tensor, self._version = gradient.detach(), gradient._version
        self.figures[:] = row[: len(STATISTICS)]

    def holds(self, gradient: torch.Tensor) -> bool:
        """Whether the figures are those of `gradient` too: the same memory, seen in the same way, not changed since."""
        last = self.tensor
        return (
            last is not None
            and last.data_ptr() == gradient.data_ptr()
            and last._version == self._version
            and last.shape == gradient.shape
            and last.stride() == gradient.stride()
            and last.dtype == gradient.dtype
        )


class Meter:
    """Measures tensors into a recorder: on the CPU with the kernels, elsewhere where the tensor lives.

    `full` False makes it a NaN/Inf guard: nothing is written unless a value is not finite.
    """

    def __init__(self, recorder: Recorder, kernels: Kernels) -> None:
        self.recorder = recorder
        self.kernels = kernels
        self.pending = device.Pending()
        self.full = True
        self.fired = False
        self._same = Same()
        self.step = 0
        self.call = 0
        self.training = False

    def begin(self, step: int, call: int, training: bool, full: bool) -> None:
        """Rows from now on belong to this forward pass."""
        self.step, self.call, self.training, self.full = step, call, training, full
        self.recorder.begin(step, call, training)

    @staticmethod
    def on_host(tensor: torch.Tensor) -> bool:
        """Whether the kernels can read the tensor's memory."""
        return tensor.is_cpu

    def value(self, tensor: torch.Tensor, probe: Probe, phase: int) -> "Seen | None":
        """Measure one tensor, and return what `gradient` needs later to see it as it is now; None when it is empty."""
        if not tensor.numel():
            return None
        if not self.on_host(tensor):
            self._on_device(tensor, probe, phase)
            return tensor.detach()
        x = as_array(tensor)
        dtype = "bfloat16" if tensor.dtype is torch.bfloat16 else None
        if self.full or self.kernels.nonfinite(x, dtype):
            self._row(x, dtype, tensor, probe, phase)
        return x

    def _row(self, x: NDArray[Any], dtype: str | None, tensor: torch.Tensor, probe: Probe, phase: int) -> None:
        row = self.recorder.row(probe.subject, phase)
        if probe.axis is None or x.ndim == 0 or not -x.ndim <= probe.axis < x.ndim:
            self.kernels.statistics(x, row, probe.low, probe.high, dtype)
        else:
            self._units(x, row, probe, dtype)
        if probe.spread and tensor.dim() and tensor.shape[0] > 1:
            row[_SPREAD] = spread(tensor)
        self._judge(row)

    def gradient(self, gradient: torch.Tensor, activation: "Seen | None", probe: Probe) -> None:
        """Measure the gradient of a value, with its relevance where the activation is given."""
        if gradient.dtype not in FLOATING or not plain(gradient) or not gradient.numel():
            return
        if activation is not None and activation.shape != gradient.shape:
            activation = None
        if not self.on_host(gradient):
            vector = device.statistics(gradient, -np.inf, np.inf)
            if isinstance(activation, torch.Tensor):
                device.relevance(gradient, activation, vector)
            self._keep(vector, probe.subject, Phase.BACKWARD)
            return
        g = as_array(gradient)
        dtype = "bfloat16" if gradient.dtype is torch.bfloat16 else None
        if not self.full and not self.kernels.nonfinite(g, dtype):
            return
        row = self.recorder.row(probe.subject, Phase.BACKWARD)
        if isinstance(activation, np.ndarray) and activation.dtype == g.dtype:
            self.kernels.gradient_statistics(g, activation, row, row[_RELEVANCE : _RELEVANCE + 2], dtype)
        elif self._same.holds(gradient):
            row[: len(STATISTICS)] = self._same.figures
        else:
            self.kernels.statistics(g, row, dtype=dtype)
        if g.size >= WORTH_KEEPING:
            self._same.keep(gradient, row)
        self._judge(row)

    def backward_ends(self) -> None:
        """Let go of the last gradient."""
        self._same.tensor = None

    def flush(self) -> None:
        """Fetch what is still on devices; called at the end of each step."""
        if self.pending.keys:
            for key, vector in self.pending.fetch():
                if key.guard and not (vector[_NAN] or vector[_POSINF] or vector[_NEGINF]):
                    continue
                self.recorder.begin(key.step, key.call, key.training)
                row = self.recorder.row(key.subject, key.phase)
                row[:] = vector.numpy()
                self._judge(row)
            self.recorder.begin(self.step, self.call, self.training)

    def judge(self, rows: NDArray[np.float64]) -> None:
        """Note whether any of several rows holds a value that is not finite."""
        if rows[:, _NAN : _NEGINF + 1].any():
            self.fired = True

    def _judge(self, row: NDArray[np.float64]) -> None:
        if row[_NAN] or row[_POSINF] or row[_NEGINF]:
            self.fired = True

    def _units(self, x: NDArray[Any], row: NDArray[np.float64], probe: Probe, dtype: str | None) -> None:
        axis = probe.axis or 0
        units = x.shape[axis]
        if probe.zeros is None or probe.saturated is None or len(probe.zeros) != units:
            probe.zeros, probe.saturated = np.zeros(units, np.int64), np.zeros(units, np.int64)
        zeros, saturated = probe.zeros, probe.saturated
        zeros.fill(0)
        saturated.fill(0)
        self.kernels.unit_statistics(x, row, probe.low, probe.high, axis, zeros, saturated, dtype)
        row[_UNITS] = units
        if units and x.size:
            each = x.size // units
            row[_DEAD] = np.count_nonzero(zeros == each)
            # Of a ReLU the zeros are the saturated values, so that one count serves.
            alike = row[_ZEROS] == row[_LOW] + row[_HIGH]
            row[_SATURATED] = row[_DEAD] if alike else np.count_nonzero(saturated == each)

    def _on_device(self, tensor: torch.Tensor, probe: Probe, phase: int) -> None:
        vector = device.statistics(tensor, probe.low, probe.high)
        if probe.axis is not None and -tensor.dim() <= probe.axis < tensor.dim():
            device.unit_counts(tensor, probe.axis, probe.low, probe.high, vector)
        if probe.spread and tensor.dim() and tensor.shape[0] > 1:
            device.spread(tensor, vector)
        self._keep(vector, probe.subject, phase)

    def _keep(self, vector: torch.Tensor, subject: int, phase: int) -> None:
        self.pending.add(device.Key(self.step, self.call, self.training, subject, phase, not self.full), vector)
        if len(self.pending.keys) >= device.MAX_PENDING:
            self.flush()
