"""The trace of a run in memory, and the questions that a diagnosis asks it."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hypocenter.errors import BadRunError
from hypocenter.probes import folders, store
from hypocenter.probes.schema import INDEX, KEYS, Phase
from hypocenter.probes.thinning import Keeper

#: Rows that a loaded trace holds at most: 4 million rows of 180 bytes, 755 MB.
LOADED_ROWS: Final = 1 << 22

_PHASES: Final = 16  # more than there are, so that subject * 16 + phase is unique
_STATES: Final = (Phase.WEIGHT, Phase.GRADIENT, Phase.UPDATE, Phase.RATE)
_SMALLEST: Final = ("min", "dead_units", "saturated_units")
_LARGEST: Final = ("max", "absmax", "units", "spread")


class Table:
    """Rows of a trace; a column is an attribute or an item of the same name.

    Columns: `step`, `call`, `rank`, `subject` (names), `phase`, `training`; the statistics and extras of
    `probes.schema` as float64; and, worked out from these,

    * `nonfinite`: nan + posinf + neginf,
    * `finite`: count - nonfinite,
    * `mean`: sum / finite, `rms`: sqrt(sumsq / finite), `std`: sqrt(rms**2 - mean**2), NaN without finite values,
    * `norm`: sqrt(sumsq), the Euclidean norm of the finite values.
    """

    def __init__(
        self,
        keys: NDArray[np.void],
        values: NDArray[np.float64],
        names: NDArray[np.object_],
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self._keys = keys if rows is None else keys[rows]
        self._values = values  # of the whole trace: a question needs few of its columns
        self._names = names
        self._rows: NDArray[np.int64] | slice = slice(None) if rows is None else rows

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, column: str) -> NDArray[Any]:
        found: NDArray[Any]
        if column in INDEX:
            found = self._values[self._rows, INDEX[column]]
        elif column == "subject":
            found = self._names[self._keys["subject"]]
        elif column in KEYS:
            found = self._keys[column]
        elif column in _DERIVED:
            found = _DERIVED[column](self)
        else:
            raise KeyError(f"{column!r} is not a column of the trace: {', '.join((*KEYS, *INDEX, *_DERIVED))}")
        return found

    def __getattr__(self, column: str) -> NDArray[Any]:
        if column.startswith("_"):
            raise AttributeError(column)
        try:
            return self[column]
        except KeyError as error:
            raise AttributeError(str(error)) from None

    def __repr__(self) -> str:
        return f"<Table: {len(self)} rows>"

    def where(self, mask: NDArray[np.bool_]) -> "Table":
        """The rows of a bool[len(self)] mask."""
        return Table(self._keys[mask], self.figures()[mask], self._names)

    def figures(self) -> NDArray[np.float64]:
        """float64[len(self), WIDTH], every statistic and extra in the order of `schema.INDEX`."""
        figures: NDArray[np.float64] = self._values[self._rows]
        return figures


def _mean(table: Table) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: NDArray[np.float64] = table["sum"] / table["finite"]
    return mean


def _rms(table: Table) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        rms: NDArray[np.float64] = np.sqrt(table["sumsq"] / table["finite"])
    return rms


def _std(table: Table) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        # Rounding can make the difference slightly negative for a constant tensor.
        std: NDArray[np.float64] = np.sqrt(np.maximum(table["rms"] ** 2 - table["mean"] ** 2, 0.0))
    return std


_DERIVED: Final[dict[str, Callable[[Table], NDArray[np.float64]]]] = {
    "nonfinite": lambda table: np.asarray(table["nan"] + table["posinf"] + table["neginf"]),
    "finite": lambda table: np.asarray(table["count"] - table["nonfinite"]),
    "mean": _mean,
    "rms": _rms,
    "std": _std,
    "norm": lambda table: np.sqrt(table["sumsq"]),
}


class Trace:
    """All rows of a run, sorted by step and within a step in recording order.

    Args:
        keys: KEY_DTYPE[rows]; `subject` indexes `subjects`.
        values: float64[rows, WIDTH].
        subjects: Names.
        warnings: What was left out of the trace, and why; sentences.
        thinned: Steps are missing because there were too many.
    """

    def __init__(
        self,
        keys: NDArray[np.void],
        values: NDArray[np.float64],
        subjects: list[str],
        *,
        warnings: list[str] | None = None,
        thinned: bool = False,
    ) -> None:
        steps = keys["step"]
        if len(steps) and (steps[1:] < steps[:-1]).any():
            order = np.argsort(steps, kind="stable")
            keys, values = keys[order], values[order]
        self.subjects = subjects
        self.warnings = warnings or []
        self.thinned = thinned
        self._keys = keys
        self._values = values
        self._names = np.array(subjects, np.object_)
        self._numbers = {name: i for i, name in enumerate(subjects)}

    @classmethod
    def load(cls, folder: Path | str, max_rows: int = LOADED_ROWS) -> "Trace":
        """Read what all processes of a run recorded.

        Damaged segments are left out, with a sentence in `warnings`; temporary files are ignored. More than `max_rows`
        rows are thinned as module `thinning` says.

        Raises:
            BadRunError: There are segments, and none of them can be read.
        """
        gathering = Gathering(max_rows)
        found = folders.segments(Path(folder))
        for _, _, path in found:
            gathering.read(path)
        if found and len(gathering.warnings) == len(found):
            message = f"The trace in {str(folder)!r} is damaged: none of its {len(found)} segments can be read."
            raise BadRunError(message, slug="bad-trace")
        return gathering.trace()

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"<Trace: {len(self)} rows, {len(self.subjects)} subjects, {len(self.steps)} steps>"

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """The steps that have rows, ascending."""
        steps: NDArray[np.int64] = np.unique(self._keys["step"])
        return steps

    @cached_property
    def _by_tensor(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        code = self._keys["subject"].astype(np.int64) * _PHASES + self._keys["phase"]
        order = np.argsort(code, kind="stable")
        return code[order], order

    @cached_property
    def _by_phase(self) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        order = np.argsort(self._keys["phase"], kind="stable")
        return self._keys["phase"][order], order

    def _of_phase(self, phase: Phase) -> NDArray[np.int64]:
        codes, order = self._by_phase
        start, stop = np.searchsorted(codes, [phase, phase + 1])
        return order[start:stop]

    def subjects_of(self, phase: Phase) -> list[str]:
        """The subjects that have rows of a phase, in the order of their first row."""
        found, first = np.unique(self._keys["subject"][self._of_phase(phase)], return_index=True)
        return [self.subjects[i] for i in found[np.argsort(first)]]

    def select(
        self,
        *,
        phase: Phase | None = None,
        subject: str | None = None,
        training: bool | None = None,
        step: int | None = None,
    ) -> Table:
        """The rows that meet every condition given, by step and in recording order; none for an unknown subject."""
        rows = self._rows(phase, subject)
        steps = self._keys["step"]
        if step is not None:
            start, stop = np.searchsorted(steps if rows is None else steps[rows], [step, step + 1])
            rows = np.arange(start, stop) if rows is None else rows[start:stop]
        if training is not None:
            mask = self._keys["training"] == training if rows is None else self._keys["training"][rows] == training
            rows = np.flatnonzero(mask) if rows is None else rows[mask]
        return Table(self._keys, self._values, self._names, rows)

    def _rows(self, phase: Phase | None, subject: str | None) -> NDArray[np.int64] | None:
        """Indices of rows, ascending; None for all."""
        if subject is None:
            return None if phase is None else self._of_phase(phase)
        number = self._numbers.get(subject)
        if number is None:
            return np.zeros(0, np.int64)
        tensor, order = self._by_tensor
        low = number * _PHASES + (0 if phase is None else int(phase))
        start, stop = np.searchsorted(tensor, [low, low + (_PHASES if phase is None else 1)])
        return order[start:stop] if phase is not None else np.sort(order[start:stop])

    def series(self, subject: str, phase: Phase, training: bool | None = True) -> tuple[NDArray[np.int64], Table]:
        """One row per step of one tensor, and the steps.

        Several rows of a step (gradient accumulation, a layer's evaluation, several processes) become one. Of WEIGHT,
        GRADIENT, UPDATE and RATE the last stands, because each describes the same state anew. Of the others counts
        and sums are added, min and max combined; units, absmax and spread are the largest; dead and saturated units
        the smallest, because a unit must be so in all calls. The value of a LOSS is therefore its `mean`.
        """
        table = self.select(subject=subject, phase=phase, training=training)
        steps = table["step"]
        first = np.flatnonzero(np.diff(steps, prepend=-1))
        if len(first) == len(steps):
            return steps, table
        if phase in _STATES:
            chosen = np.append(first[1:], len(steps)) - 1
            figures = table.figures()[chosen]
        else:
            chosen, figures = first, _merge(table.figures(), first)
        merged = Table(table._keys[chosen], figures, self._names)
        return merged["step"], merged


def _merge(values: NDArray[np.float64], first: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[groups, WIDTH] of float64[rows, WIDTH], the groups beginning at rows `first`."""
    merged: NDArray[np.float64] = np.add.reduceat(values, first, axis=0)
    for columns, combine in ((_SMALLEST, np.fmin), (_LARGEST, np.fmax)):
        chosen = [INDEX[name] for name in columns]
        merged[:, chosen] = combine.reduceat(values[:, chosen], first, axis=0)
    return merged


class Gathering:
    """Puts a trace together from parts that number their subjects differently; bounded, see `thinning`.

    Args:
        max_rows: Rows kept.

    Attributes:
        warnings: Segments that could not be read; sentences.
    """

    def __init__(self, max_rows: int) -> None:
        self.warnings: list[str] = []
        self._keeper = Keeper(max_rows)
        self._numbers: dict[str, int] = {}

    def read(self, path: Path) -> None:
        """Add a segment, or a warning that it cannot be read."""
        try:
            segment = store.read_segment(path)
        except BadRunError as error:
            self.warnings.append(str(error))
        else:
            self.add(*segment)

    def add(self, keys: NDArray[np.void], values: NDArray[np.float64], names: list[str]) -> None:
        """Add rows whose subjects index `names`."""
        numbers = np.array([self._numbers.setdefault(name, len(self._numbers)) for name in names], np.int32)
        renumbered = keys.copy()
        renumbered["subject"] = numbers[keys["subject"]] if len(keys) else 0
        self._keeper.add(renumbered, values)

    def trace(self, *, thinned: bool = False) -> Trace:
        """The trace of everything added."""
        keeper = self._keeper
        thinned = thinned or keeper.thinned
        return Trace(keeper.keys, keeper.values, list(self._numbers), warnings=self.warnings, thinned=thinned)
