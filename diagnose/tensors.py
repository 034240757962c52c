"""The recorded statistics of one tensor over time, and the figures that follow from them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hypocenter.probes.schema import INDEX
from hypocenter.probes.trace import Table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """The rows of one subject in one phase, ordered by step and call; n rows.

    Args:
        subject: Name of the value, parameter, loss or learning rate.
        step: int64 (n,), training steps completed before each row.
        call: int32 (n,), which top-level forward pass of the step.
        training: bool (n,).
        columns: Each statistic or extra of `probes.schema.INDEX`, float64 (n,).
    """

    subject: str
    step: NDArray[np.int64]
    call: NDArray[np.int32]
    training: NDArray[np.bool_]
    columns: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, column: str) -> Floats:
        return self.columns[column]

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Self:
        """The rows that a mask, an index array or a slice picks."""
        columns = {name: column[which] for name, column in self.columns.items()}
        return type(self)(self.subject, self.step[which], self.call[which], self.training[which], columns)

    def at(self, step: int, call: int | None = None) -> Self:
        """The rows of one step (and one of its forward passes)."""
        which = self.step == step
        return self.take(which if call is None else which & (self.call == call))

    def until(self, step: int) -> Self:
        """The rows of the steps before `step`."""
        return self.take(self.step < step)

    def last_of_steps(self) -> Self:
        """One row per step: the last of each."""
        return self.take(np.append(self.step[1:] != self.step[:-1], True) if len(self) else slice(0))

    @property
    def nonfinite(self) -> Floats:
        """NaN and infinities per row."""
        return self["nan"] + self["posinf"] + self["neginf"]

    @property
    def finite_count(self) -> Floats:
        """Finite elements per row."""
        return self["count"] - self.nonfinite

    @property
    def norm(self) -> Floats:
        """Euclidean norm of the finite elements, sqrt(sum of squares)."""
        return np.sqrt(self["sumsq"])

    @property
    def rms(self) -> Floats:
        """Root mean square of the finite elements; 0 where there are none."""
        return np.sqrt(self["sumsq"] / np.maximum(self.finite_count, 1))

    @property
    def mean(self) -> Floats:
        """Mean of the finite elements; 0 where there are none."""
        mean: Floats = self["sum"] / np.maximum(self.finite_count, 1)
        return mean

    @property
    def std(self) -> Floats:
        """Population standard deviation of the finite elements; sums are float64, so cancellation is negligible."""
        spread = self["sumsq"] / np.maximum(self.finite_count, 1) - self.mean**2
        return np.sqrt(np.maximum(spread, 0.0))

    @property
    def zero_share(self) -> Floats:
        """Share of elements that are exactly zero, 0 to 1."""
        share: Floats = self["zeros"] / np.maximum(self["count"], 1)
        return share

    @property
    def reach(self) -> Floats:
        """Largest absolute value, infinite where anything is not finite."""
        return np.where(self.nonfinite > 0, np.inf, self["absmax"])


def split(table: Table) -> dict[str, Series]:
    """One series per subject, in the order in which subjects first appear."""
    if not len(table):
        return {}
    names, first, codes = np.unique(np.asarray(table["subject"]), return_index=True, return_inverse=True)
    order = np.lexsort((table["call"], table["step"], codes))
    step, call, training = (np.asarray(table[name])[order] for name in ("step", "call", "training"))
    columns = {name: np.asarray(table[name])[order] for name in INDEX}
    ends = np.append(np.flatnonzero(np.diff(codes[order])) + 1, len(order))
    whole = Series("", step, call, training, columns)
    series = {}
    for code in np.argsort(first):
        rows = whole.take(slice(ends[code - 1] if code else 0, ends[code]))
        series[str(names[code])] = Series(str(names[code]), rows.step, rows.call, rows.training, rows.columns)
    return series
