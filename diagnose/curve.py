"""How training went, read from the loss: robust statistics that depend neither on batch noise nor on step count.

Trends are judged by Mann and Kendall's rank test (Mann, "Nonparametric tests against trend", 1945) and measured by
Theil and Sen's slope (Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968): neither assumes
a distribution, and up to 29 % of outliers do not move the slope. Levels are medians.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hypocenter.diagnose.baseline import constant_loss
from hypocenter.diagnose.tensors import Floats

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Points at most that enter the pairwise statistics: longer curves are summed up by medians of equal blocks.
_POINTS = 256


def condensed(values: Floats, points: int = _POINTS) -> Floats:
    """At most `points` values: the medians of equal blocks of a longer series, float64 (m,)."""
    if len(values) <= points:
        return values
    return np.array([np.median(block) for block in np.array_split(values, points)])


def kendall(values: Floats) -> float:
    """Mann and Kendall's z: standard normal without a trend, negative for a falling series."""
    values = condensed(values)
    n = len(values)
    if n < 4:
        return 0.0
    later, earlier = np.tril_indices(n, -1)
    score = float(np.sign(values[later] - values[earlier]).sum())
    spread = np.sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    return float((score - np.sign(score)) / spread)


def theil_sen(values: Floats) -> float:
    """The median slope over all pairs of points, times the length: the change over the whole series."""
    values = condensed(values)
    if len(values) < 2:
        return 0.0
    later, earlier = np.tril_indices(len(values), -1)
    slope = np.median((values[later] - values[earlier]) / (later - earlier))
    return float(slope * (len(values) - 1))


def zigzag(values: Floats, threshold: float) -> list[float]:
    """The turning points of a series when moves smaller than `threshold` are no turn; first and last included."""
    if not len(values):
        return []
    turns = [float(values[0])]
    low = high = turns[0]
    rising: bool | None = None
    for value in values[1:].tolist():
        low, high = min(low, value), max(high, value)
        if rising is not True and value - low >= threshold:
            if rising is False:
                turns.append(low)
            rising, high = True, value
        elif rising is not False and high - value >= threshold:
            if rising is True:
                turns.append(high)
            rising, low = False, value
        if rising is True:
            low = high
        elif rising is False:
            high = low
    return [*turns, float(values[-1])]


@dataclass(frozen=True)
class Progress:
    """What the loss curve says.

    Args:
        value: The finite losses up to the first one that is not, float64 (n,).
        step: The training step of each, (n,).
        baseline: The loss of the best constant prediction, or None when it cannot be worked out.
        broken: Whether a loss that is not finite followed.

    Class Attributes:
        MINIMUM_STEPS: Steps below which a curve is not judged. 30: the usual least sample of rank tests.
        SIGNIFICANT: |z| from which a trend is one, in standard deviations. 2.6: about 1 in 200 by chance, one-sided.
        MINIMUM_GAIN: Share of its level that the loss must move over the judged part to move at all. 0.01: at
            this pace a hundred such runs would be needed; a convention.
        STUCK: Share of the constant predictor's loss from which nothing was learned. 0.9: a classifier of balanced
            classes at 0.9 ln(C) is right in a few percent more cases than chance.
        UNFINISHED: Share of that loss from which less than half of what can be learned was learned.
    """

    MINIMUM_STEPS: ClassVar[int] = 30
    SIGNIFICANT: ClassVar[float] = 2.6
    MINIMUM_GAIN: ClassVar[float] = 0.01
    STUCK: ClassVar[float] = 0.9
    UNFINISHED: ClassVar[float] = 0.5

    value: Floats
    step: Floats
    baseline: float | None
    broken: bool

    def __len__(self) -> int:
        return len(self.value)

    @property
    def judged(self) -> bool:
        """Whether the curve is long enough to be judged."""
        return len(self) >= self.MINIMUM_STEPS

    @property
    def start(self) -> float:
        """Median of the first losses: a twentieth of the run, 3 at least and 20 at most."""
        return float(np.median(self.value[: min(max(3, len(self) // 20), 20)]))

    @property
    def end(self) -> float:
        """Median of the last quarter of the run."""
        return float(np.median(self.value[-max(3, len(self) // 4) :]))

    @property
    def best(self) -> float:
        """The lowest median of a twentieth of the run."""
        blocks = np.array_split(self.value, min(20, max(1, len(self) // 3)))
        return float(min(np.median(block) for block in blocks))

    @property
    def recent(self) -> Floats:
        """The last two thirds, in which a run that learns is past its start."""
        return self.value[len(self) // 3 :]

    @property
    def trend(self) -> float:
        """Significance of the trend of the last two thirds, in standard deviations; negative when the loss falls."""
        return kendall(self.recent)

    @property
    def change(self) -> float:
        """Change of the loss over the last two thirds, relative to its level there."""
        level = abs(float(np.median(self.recent)))
        return theil_sen(self.recent) / max(level, 1e-300)

    @property
    def falling(self) -> bool:
        """Whether the loss still falls."""
        return self.trend < -self.SIGNIFICANT and self.change < -self.MINIMUM_GAIN

    @property
    def rising(self) -> bool:
        """Whether the loss rises."""
        return self.trend > self.SIGNIFICANT and self.change > self.MINIMUM_GAIN

    @property
    def reference(self) -> float:
        """What an untrained model has: the constant predictor's loss, else the loss at the start."""
        return self.baseline if self.baseline is not None else self.start

    @property
    def remaining(self) -> float:
        """The loss at the end over that of an untrained model; NaN where that is not positive."""
        return self.end / self.reference if self.reference > 0 else float("nan")

    @property
    def stuck(self) -> bool:
        """Nothing was learned: at the end the loss is about what a constant prediction has, and it is not falling."""
        return self.judged and not self.falling and self.remaining >= self.STUCK

    @property
    def unfinished(self) -> bool:
        """Less than half of the loss of an untrained model is gone; true of every run that is stuck."""
        return self.judged and self.remaining >= self.UNFINISHED

    def evidence(self) -> dict[str, float | int | None]:
        """JSON-ready figures of the curve."""
        return {
            "loss_start": self.start,
            "loss_end": self.end,
            "loss_best": self.best,
            "constant_prediction_loss": self.baseline,
            "trend_z": round(self.trend, 2),
            "relative_change": self.change,
            "steps": len(self),
        }

    def story(self) -> str:
        """`the loss went from 2.31 to 2.30 in 140 steps, where a constant prediction has 2.30`."""
        told = f"the loss went from {self.start:.3g} to {self.end:.3g} in {len(self)} steps"
        return told if self.baseline is None else f"{told}, where a constant prediction has {self.baseline:.3g}"


def adversarial(facts: "Facts") -> bool:
    """Whether several losses have optimizers of their own: their curves say nothing one by one (a GAN's hover)."""
    return len(facts.optimizers) > 1 and len(facts.losses) > 1


def progress(facts: "Facts") -> Progress | None:
    """The curve of the program's loss; None when it has none or when it is not one that should fall."""
    curve = facts.loss
    if not len(curve) or adversarial(facts):
        return None
    bad = np.flatnonzero(~curve.finite)
    stop = int(bad[0]) if len(bad) else len(curve)
    if not stop:
        return None
    return Progress(
        curve.value[:stop], curve.step[:stop].astype(np.float64), constant_loss(facts, curve.subject), bool(len(bad))
    )
