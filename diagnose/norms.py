"""Norms of gradients and updates along the network and over time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypocenter.diagnose.tensors import Floats
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts


def matrices(facts: "Facts") -> tuple[str, ...]:
    """Names of the parameters of two dimensions or more, in execution order of the layers that use them.

    Biases and scales start at 0 or 1 by convention, so the ratio of their update to their size says little.
    """
    names = [name for name in facts.parameter_layer if _dimensions(facts, name) >= 2]
    return tuple(name for name in names if name in facts.weights)


def _dimensions(facts: "Facts", name: str) -> int:
    info = next((value for value in facts.run.ir.inputs if value.name == name), None)
    return 0 if info is None or info.shape is None else len(info.shape)


def fan_in(facts: "Facts", name: str) -> int:
    """Inputs of one unit of a weight whose first dimension counts units, as torch stores them; 0 if unknown."""
    info = next((value for value in facts.run.ir.inputs if value.name == name), None)
    if info is None or info.shape is None or len(info.shape) < 2:
        return 0
    return int(np.prod([size or 1 for size in info.shape[1:]]))


def warm(facts: "Facts", steps: Floats) -> NDArray[np.bool_]:
    """Mask of the steps at which a learning rate is at least a tenth of its largest: past a warm-up, before the end of
    a schedule; all steps where rates were not recorded."""
    if not facts.rates:
        return np.ones(len(steps), bool)
    kept = np.zeros(len(steps), bool)
    for rows in facts.rates.values():
        high = rows.step[rows["sum"] >= 0.1 * rows["sum"].max(initial=0.0)]
        kept |= np.isin(steps, high)
    return kept


def peak_ratio(facts: "Facts", first: int) -> float:
    """The largest, over the `first` warm training steps, of the median over weight matrices of ||update|| / ||weight||.

    Steps that start from weights of zero are left out. 0 where nothing was recorded.
    """
    by_step: dict[float, list[float]] = {}
    for name in matrices(facts):
        steps, ratios = facts.update_ratios.get(name, (np.empty(0), np.empty(0)))
        weight = facts.weights[name]
        usable = warm(facts, steps) & np.isin(steps, weight.step[weight.norm > 0])
        for step, ratio in zip(steps[usable].tolist()[:first], ratios[usable].tolist()[:first], strict=True):
            by_step.setdefault(step, []).append(ratio)
    return max((float(np.median(ratios)) for ratios in by_step.values()), default=0.0)


@dataclass(frozen=True)
class Gain:
    """How a node changes the gradient on its way back.

    Args:
        node: The node.
        log10: log10(||gradient at its input|| / ||gradient at its output||), median over steps.
        steps: Steps in which both were recorded.
    """

    node: Layer
    log10: float
    steps: int


def gains(facts: "Facts", first: int | None = None) -> list[Gain]:
    """The gain of every node of the model whose input and output gradients were recorded, in execution order.

    A node with several inputs has the gain of the one that gets the largest gradient. With `first`, only so many of the
    first recorded steps count.
    """
    found = []
    for node in facts.layers:
        if node.name in facts.flow.after_model:
            continue
        outputs = [facts.backward[name] for name in node.outputs if name in facts.backward]
        inputs = [facts.backward[name] for name in facts.flow.inputs(node) if name in facts.backward]
        if not outputs or not inputs:
            continue
        best: tuple[float, int] | None = None
        for rows in inputs:
            left, right = rows.last_of_steps(), outputs[0].last_of_steps()
            _, a, b = np.intersect1d(left.step, right.step, return_indices=True)
            a, b = a[:first], b[:first]
            usable = (left.norm[a] > 0) & (right.norm[b] > 0)
            if usable.any():
                ratio = float(np.median(np.log10(left.norm[a][usable] / right.norm[b][usable])))
                best = max(best or (ratio, 0), (ratio, int(usable.sum())))
        if best is not None:
            found.append(Gain(node, *best))
    return found


@dataclass(frozen=True)
class Reach:
    """How large the gradient is at the first weights of the network, relative to the last.

    Args:
        first: Name of the first weight matrix.
        last: Name of the last one.
        log10: log10 of the median ratio of their gradient norms, each relative to the weight's norm.
        layers: Weight matrices from first to last.
    """

    first: str
    last: str
    log10: float
    layers: int


def reach(facts: "Facts", first: int | None = None) -> Reach | None:
    """Compares the relative gradients of the first and the last weight matrix; None with fewer than three.

    With `first`, only so many of the first recorded steps count.
    """
    names = [name for name in matrices(facts) if name in facts.gradients and len(facts.gradients[name])]
    if len(names) < 3:
        return None
    near_name, far_name = names[0], names[-1]
    left, right = facts.gradients[near_name], facts.gradients[far_name]
    _, a, b = np.intersect1d(left.step, right.step, return_indices=True)
    a, b = a[:first], b[:first]
    usable = right.norm[b] > 0
    if not usable.any():
        return None
    # float32 cannot show less than its least subnormal, so that is the floor of a gradient that is exactly 0
    near = np.maximum(left.norm[a][usable], 1e-45) / _size(facts, near_name)
    far = right.norm[b][usable] / _size(facts, far_name)
    return Reach(near_name, far_name, float(np.median(np.log10(near / far))), len(names))


def _size(facts: "Facts", name: str) -> float:
    return max(float(np.median(facts.weights[name].norm)), 1e-12)
