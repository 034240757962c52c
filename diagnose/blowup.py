"""Values that grew over steps, or from layer to layer, until they overflowed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hypocenter.diagnose.causes import Cause, confidence, suspects
from hypocenter.diagnose.localization import Origin
from hypocenter.diagnose.stats import LARGEST
from hypocenter.diagnose.tensors import Floats, Series
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Growth of a layer's largest value since the first step that is no longer normal training. While a small MLP or
#: convolutional net learns, its activations grow by a factor of 2 to 30 (measured on the healthy programs of the
#: tests); a layer has left its normal growth at 30, and 1,000 is a blow-up whatever the settings are.
LEFT: Final = 30.0
BLOWN_UP: Final = 1000.0
#: Values of this magnitude next to an overflow say that scale, not a special argument such as log(0), was the cause.
HUGE: Final = 1e6
#: ||update|| / ||weight|| of one step from which weights are replaced rather than adjusted. Healthy training has
#: about 1e-3 (Karpathy's rule of thumb, CS231n notes).
REPLACED: Final = 0.3


@dataclass(frozen=True)
class BlowUp:
    """Growth that ended in an overflow.

    Args:
        step: First step at which a layer left its normal growth.
        layer: The first such layer in dataflow order.
        before: Its largest absolute value at its first recorded step.
        after: The same at `step`.
        peak: The largest finite value that any layer reached up to the overflow.
        update_ratio: Largest ||update|| / ||weight|| up to the overflow; NaN when no update was recorded.
        causes: Suspects, the worst first; may be empty.
        confidence: 0 to 1.
    """

    step: int
    layer: Layer | None
    before: float
    after: float
    peak: float
    update_ratio: float
    causes: tuple[Cause, ...]
    confidence: float


def blow_up(facts: "Facts") -> BlowUp | None:
    """The blow-up behind the run's first non-finite values; None when there is none."""
    origin = facts.origin
    if origin is None or origin.where in ("input", "initial") or not origin.moment.training:
        return None
    causes = suspects(facts)
    ratio = _update_ratio(facts, origin.step)
    grown = _grown(facts, origin)
    if grown is None or not _is_blow_up(facts, origin, grown, ratio, causes):
        return _at_once(facts, origin, causes, ratio)
    left = (grown.step, grown.layer, grown.before, grown.after, grown.peak)
    return BlowUp(*left, ratio, tuple(causes), confidence(causes))


@dataclass(frozen=True)
class _Grown:
    """The first layer that left its normal growth; `peak` and `factor` are the largest of all layers."""

    step: int
    layer: Layer
    before: float
    after: float
    peak: float
    factor: float


def _growth(values: Floats, first: float) -> Floats:
    """Values relative to the first one, with the floor 1 below which growth means nothing."""
    growth: Floats = np.minimum(values, LARGEST["float64"]) / max(first, 1.0)
    return growth


def _grown(facts: "Facts", origin: Origin) -> _Grown | None:
    """The first layer, by step and then by dataflow, that left its normal growth and never came back."""
    left: list[tuple[int, int, Layer, Series, int]] = []
    factor = peak = 0.0
    for name, series in facts.forward.items():
        rows, node = series.take(series.step <= origin.step), facts.flow.find(name)
        if len(rows) < 2 or node is None or not np.isfinite(rows.reach[0]):
            continue
        first = float(rows.reach[0])
        peak = max(peak, float(rows["absmax"].max()))
        if origin.node is None or node.name != origin.node.name:
            factor = max(factor, float(_growth(rows["absmax"], first).max()))
        calm = np.flatnonzero(_growth(rows.reach, first) < LEFT)
        place = int(calm[-1]) + 1 if len(calm) else 0
        if place < len(rows):
            left.append((int(rows.step[place]), facts.flow.order[node.name], node, rows, place))
    if not left:
        return None
    step, _, layer, rows, place = min(left, key=lambda item: item[:2])
    return _Grown(step, layer, float(rows.reach[0]), float(rows.reach[place]), peak, factor)


def _update_ratio(facts: "Facts", step: int) -> float:
    """The largest relative update of a weight matrix before `step` ended."""
    largest = float("nan")
    for name, (steps, ratio) in facts.update_ratios.items():
        shape = facts.run.ir.value(name).shape if facts.run.ir.has_value(name) else None
        chosen = ratio[(steps <= step) & np.isfinite(ratio)]
        if shape is not None and len(shape) > 1 and len(chosen):
            largest = np.fmax(largest, chosen.max())
    return float(largest)


def _is_blow_up(facts: "Facts", origin: Origin, grown: _Grown, ratio: float, causes: list[Cause]) -> bool:
    by_learning = ratio >= REPLACED or np.isnan(ratio) or grown.step < origin.step
    if max(_magnitude(origin), _weights_before(facts, origin)) >= HUGE and grown.factor >= LEFT and by_learning:
        return True
    if causes and causes[0].fault == "data" and grown.factor >= LEFT:
        return True
    if grown.factor >= BLOWN_UP and ratio >= REPLACED:
        return True
    return bool(causes) and grown.factor >= LEFT and ratio >= REPLACED


def _magnitude(origin: Origin) -> float:
    """The largest finite value that went into the origin."""
    if origin.node is None:
        return 0.0
    return max((each["absmax"] for each in origin.moment.feeds(origin.node)), default=0.0)


def _weights_before(facts: "Facts", origin: Origin) -> float:
    """The largest weight of the last step before the origin's end."""
    rows = [series.take(series.step <= origin.step) for series in facts.weights.values()]
    return max((float(row["absmax"][-1]) for row in rows if len(row)), default=0.0)


def _at_once(facts: "Facts", origin: Origin, causes: list[Cause], ratio: float) -> BlowUp | None:
    """Overflow in the first recorded step: growth from layer to layer, by initial weights or raw inputs."""
    first = int(facts.run.trace.steps[0])
    if origin.step > first or origin.node is None or _magnitude(origin) < HUGE:
        return None
    chosen = [cause for cause in causes if cause.fault in ("initialization", "normalization")]
    if not chosen:
        return None
    order = facts.flow.order
    reaches = [(order[node.name], node, _reach(origin, node)) for node in facts.layers if node.name in order]
    large = [(place, node, reach) for place, node, reach in reaches if reach >= LEFT]
    layer, after = (large[0][1], large[0][2]) if large else (origin.node, _magnitude(origin))
    peak = max((reach for _, _, reach in reaches), default=0.0)
    return BlowUp(first, layer, 1.0, after, peak, ratio, tuple(chosen), confidence(chosen))


def _reach(origin: Origin, node: Layer) -> float:
    return origin.moment.value(node.outputs[0])["absmax"]
