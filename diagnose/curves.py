"""The loss over training steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypocenter.diagnose.tensors import Floats, Series


@dataclass(frozen=True)
class LossCurve:
    """The value on which backward was called, one per training step (the mean over its backward passes).

    Args:
        subject: Name of the loss value in the graph.
        step: int64 (n,), ascending.
        value: float64 (n,); NaN and infinities as they were.
    """

    subject: str
    step: NDArray[np.int64]
    value: Floats

    def __len__(self) -> int:
        return len(self.step)

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Which steps had a finite loss."""
        return np.isfinite(self.value)

    def at(self, step: int) -> float | None:
        """The loss of a step, if it was recorded."""
        found = np.flatnonzero(self.step == step)
        return float(self.value[found[0]]) if len(found) else None

    @classmethod
    def from_series(cls, series: dict[str, Series]) -> "LossCurve":
        """The curve of the loss that has the most training rows; empty when there is none.

        A program with several losses (one per network of a GAN) has several; `Facts.losses` holds all.
        """
        if not series:
            return cls("", np.empty(0, np.int64), np.empty(0))
        return max((cls.of(rows) for rows in series.values()), key=len)

    @classmethod
    def of(cls, rows: Series) -> "LossCurve":
        """One value per step of one loss."""
        value = np.where(rows["nan"] > 0, np.nan, rows["sum"])
        value = np.where(rows["posinf"] > 0, np.inf, np.where(rows["neginf"] > 0, -np.inf, value))
        steps, first = np.unique(rows.step, return_index=True)
        if len(steps) == 0:
            return cls(rows.subject, steps, value)
        with np.errstate(invalid="ignore"):  # inf - inf inside a step is NaN, as it should be
            mean = np.add.reduceat(value, first) / np.diff(np.append(first, len(value)))
        return cls(rows.subject, steps, mean)
