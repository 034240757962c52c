"""Statistics of tensors that are not on the CPU: reduced where they are, fetched once per step.

The reductions are plain torch operations, so they run on CUDA and on any other device with float64; their results
stay on the device in small vectors until `Pending.fetch` copies all of a step at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from hypocenter.kernels.figures import STATISTICS
from hypocenter.probes.schema import INDEX, WIDTH

#: Fetch in between when a single step leaves more vectors than this, so that memory stays bounded (about 3 MB).
MAX_PENDING = 16_384


@dataclass(frozen=True, slots=True)
class Key:
    """Which row a vector belongs to."""

    step: int
    call: int
    training: bool
    subject: int
    phase: int
    guard: bool = False  # only wanted if something in it is not finite


@dataclass(slots=True)
class Pending:
    """Rows whose figures are still on their devices."""

    keys: list[Key] = field(default_factory=list)
    vectors: list[torch.Tensor] = field(default_factory=list)

    def add(self, key: Key, vector: torch.Tensor) -> None:
        """Keep one row's figures: a float64 vector of `WIDTH` elements on any device."""
        self.keys.append(key)
        self.vectors.append(vector)

    def fetch(self) -> Iterator[tuple[Key, torch.Tensor]]:
        """All rows kept so far, copied to the host with one transfer per device."""
        by_device: dict[torch.device, list[int]] = {}
        for i, vector in enumerate(self.vectors):
            by_device.setdefault(vector.device, []).append(i)
        fetched: list[tuple[int, torch.Tensor]] = []
        for indices in by_device.values():
            host = torch.stack([self.vectors[i] for i in indices]).cpu()
            fetched.extend(zip(indices, host, strict=True))
        keys = self.keys
        self.keys, self.vectors = [], []
        for i, row in sorted(fetched, key=lambda pair: pair[0]):
            yield keys[i], row


def statistics(tensor: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """The statistics of `tensor` as a float64 vector of `WIDTH` elements on its device; extras are NaN."""
    x = tensor.detach()
    out = torch.full((WIDTH,), float("nan"), dtype=torch.float64, device=x.device)
    finite = torch.isfinite(x)
    kept = torch.where(finite, x, torch.zeros((), dtype=x.dtype, device=x.device))
    wide = kept.double()
    magnitude = kept.abs()
    tiny = torch.finfo(x.dtype).tiny
    infinity = torch.full((), float("inf"), dtype=x.dtype, device=x.device)
    counts = [
        torch.full((), x.numel(), dtype=torch.float64, device=x.device),
        torch.isnan(x).sum(),
        (x == float("inf")).sum(),
        (x == float("-inf")).sum(),
        (x == 0).sum(),
        (kept < 0).sum(),
        ((magnitude > 0) & (magnitude < tiny)).sum(),
    ]
    if x.numel():
        extremes = [torch.where(finite, x, infinity).amin(), torch.where(finite, x, -infinity).amax()]
        largest = magnitude.amax()
    else:
        extremes, largest = [infinity, -infinity], torch.zeros((), device=x.device)
    bounds = [(finite & (x <= low)).sum(), (finite & (x >= high)).sum()]
    figures = [*counts, *extremes, wide.sum(), (wide * wide).sum(), largest, *bounds]
    out[: len(STATISTICS)] = torch.stack([figure.double() for figure in figures])
    return out


def unit_counts(tensor: torch.Tensor, axis: int, low: float, high: float, out: torch.Tensor) -> None:
    """Write units, dead units and saturated units along `axis` into the row vector `out`."""
    x = tensor.detach().movedim(axis, 0)
    x = x.flatten(1) if x.dim() > 1 else x.unsqueeze(1)
    out[INDEX["units"]] = x.shape[0]
    out[INDEX["dead_units"]] = (x == 0).all(1).sum()
    out[INDEX["saturated_units"]] = ((x <= low) | (x >= high)).all(1).sum()


def spread(output: torch.Tensor, out: torch.Tensor) -> None:
    """Write the largest, over features, of max minus min over the batch (axis 0) into the row vector `out`."""
    flat = output.detach().reshape(output.shape[0], -1)
    low, high = flat.aminmax(dim=0)
    out[INDEX["spread"]] = (high.double() - low.double()).max()


def relevance(gradient: torch.Tensor, activation: torch.Tensor, out: torch.Tensor) -> None:
    """Write the signed and absolute sum of gradient * activation, as far as finite, into the row vector `out`."""
    product = gradient.detach().double() * activation.detach().double()
    product = torch.where(torch.isfinite(product), product, torch.zeros_like(product))
    out[INDEX["relevance"]] = product.sum()
    out[INDEX["abs_relevance"]] = product.abs().sum()
