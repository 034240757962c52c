"""Which steps are measured in full, and on which only a guard looks for NaN and infinities."""

from dataclasses import dataclass
from typing import Final

from hypocenter.errors import BadInputError

#: Steps at the start of training that are always measured in full: initialisation and the first updates show there.
FIRST_STEPS: Final = 10


@dataclass(frozen=True)
class Schedule:
    """When probes measure everything.

    Args:
        every: Measure every so many steps in full; on the others probes only count NaN and infinities
            (`Kernels.nonfinite`). 1 measures every step.
        budget: Overhead that probes may cause, in percent of the step time. None, the only value so far, sets no limit.

    Raises:
        BadInputError: `every` is not a whole number from 1, or a budget is given.
    """

    every: int = 1
    budget: float | None = None

    def __post_init__(self) -> None:
        if type(self.every) is not int or self.every < 1:  # not isinstance: True is an int too
            message = f"'every' is {self.every!r}, but it counts steps: give a whole number from 1."
            raise BadInputError(message, slug="bad-every")
        if self.budget is not None:
            message = f"A budget ({self.budget!r}) cannot be set yet: use 'every' to measure fewer steps."
            raise BadInputError(message, slug="no-budget")

    def full(self, step: int, guard_fired: int | None = None) -> bool:
        """Whether a step is measured in full.

        Args:
            step: Training steps completed, from 0.
            guard_fired: The last step on which the guard found a NaN or infinity, if any; the step after it is
                measured in full, so that what follows from the first bad value is on record.
        """
        if self.every == 1 or step < FIRST_STEPS or step % self.every == 0:
            return True
        return guard_fired is not None and step == guard_fired + 1
