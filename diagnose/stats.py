"""One row of the trace as an object: what is known of one tensor at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from hypocenter.diagnose.tensors import Series

#: Largest finite value of each floating-point format (IEEE 754-2019; bfloat16: float32 with 8 bits of precision).
LARGEST: Final[Mapping[str, float]] = {
    "float16": 65504.0,
    "bfloat16": 3.3895313892515355e38,
    "float32": float(np.finfo(np.float32).max),
    "float64": float(np.finfo(np.float64).max),
}
_EMPTY: Final = dict.fromkeys(("count", "nan", "posinf", "neginf", "zeros", "negatives", "sum", "sumsq", "absmax"), 0.0)


@dataclass(frozen=True)
class Stats:
    """The statistics of one tensor; `known` is False when it was not recorded (a mask, an index, a constant).

    Args:
        name: Name of the value or parameter.
        kind: Its kind in the graph: activation, input, parameter, buffer, constant, target.
        dtype: Element type, if known.
        shape: Shape, if known.
        known: Whether the trace has its figures; they are 0 otherwise.
        figures: Statistic -> value, as in `kernels.figures.STATISTICS`.
    """

    name: str
    kind: str = "activation"
    dtype: str | None = None
    shape: tuple[int | None, ...] | None = None
    known: bool = False
    figures: Mapping[str, float] = field(default_factory=lambda: {**_EMPTY, "min": np.inf, "max": -np.inf})

    def __getitem__(self, statistic: str) -> float:
        return self.figures[statistic]

    @classmethod
    def of_rows(cls, rows: Series, **about: Any) -> Self:
        """The worst row of a series: the first with NaN or infinities, else the last."""
        bad = np.flatnonzero(rows.nonfinite > 0)
        place = int(bad[0]) if len(bad) else len(rows) - 1
        figures = {name: float(column[place]) for name, column in rows.columns.items()}
        return cls(rows.subject, known=True, figures=figures, **about)

    @property
    def finite(self) -> bool:
        """No NaN and no infinity was recorded; true of a tensor that was not recorded."""
        return self["nan"] + self["posinf"] + self["neginf"] == 0

    @property
    def only_minus_infinity(self) -> bool:
        """-inf and nothing else that is not finite, as additive masks have."""
        return self["neginf"] > 0 and self["nan"] + self["posinf"] == 0

    @property
    def empty(self) -> bool:
        """A recorded tensor without elements."""
        return self.known and self["count"] == 0

    @property
    def largest(self) -> float:
        """The largest finite number of its format."""
        return LARGEST.get(self.dtype or "float32", LARGEST["float32"])

    @property
    def what(self) -> str:
        """`12 NaN and 3 inf of 640 values`."""
        counts = (("nan", "NaN"), ("posinf", "inf"), ("neginf", "-inf"))
        parts = [f"{self[name]:.0f} {word}" for name, word in counts if self[name]]
        return f"{' and '.join(parts) or 'no non-finite value'} of {self['count']:.0f}"

    @property
    def span(self) -> str:
        """`between -3.2 and 18`, over finite values."""
        return (
            f"between {number(self['min'])} and {number(self['max'])}" if self["max"] >= self["min"] else "not finite"
        )

    def to_dict(self) -> dict[str, Any]:
        """What a finding's evidence says of the tensor; JSON-ready."""
        names = ("count", "nan", "posinf", "neginf", "zeros", "negatives", "min", "max")
        figures = {name: self[name] if np.isfinite(self[name]) else None for name in names}
        return {"name": self.name, "dtype": self.dtype, **figures}


def number(value: float) -> str:
    """A number as a person would write it: three significant digits."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("inf" if value > 0 else "-inf")
    return f"{value:.3g}"
