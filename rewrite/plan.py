"""Which values get a probe, decided on the graph, each decision with its reason."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from hypocenter.ir.graph import IR
from hypocenter.ir.layer import Layer, ValueInfo

#: Inputs of the graph that are data; parameters and buffers are watched where the optimizer changes them.
_DATA: Final = frozenset({"input", "target"})

#: Bits of the exponent and of the fraction; a cast to a type with fewer of either can change values.
_WIDTHS: Final = {
    "float64": (11, 52), "float32": (8, 23), "bfloat16": (8, 7), "float16": (5, 10),
    "float8_e5m2": (5, 2), "float8_e4m3fn": (4, 3),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a value gets a probe, and why, in a few words that read well after "probe:" and "no probe:"."""

    value: str
    probe: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Decisions in execution order, inputs first; one for each value of a node and each input that is data."""

    decisions: tuple[Decision, ...]

    def __iter__(self) -> Iterator[Decision]:
        return iter(self.decisions)

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the values that get a probe."""
        return tuple(decision.value for decision in self.decisions if decision.probe)

    def decision(self, value: str) -> Decision | None:
        """The decision on a value; None for one that the plan does not speak of, such as a parameter."""
        return next((decision for decision in self.decisions if decision.value == value), None)


def plan(ir: IR, patterns: Sequence[str] = ()) -> Plan:
    """Decides on every value of the graph.

    1. What is no tensor, is not floating point, or has no elements has no statistics: no probe.
    2. What a movement (view, reshape, copy) returns are its input's values: no probe, unless it is a cast to a
       narrower type, which can overflow and round.
    3. Without patterns all others get a probe: after every layer and operation, and on the model's inputs.
    4. With patterns (of `fnmatch`, such as `encoder.*` or `fc?`) those whose name matches one.
    """
    inputs = (_decide(info, None, ir, patterns) for info in ir.inputs if info.kind in _DATA)
    made = (_decide(ir.value(name), layer, ir, patterns) for layer in _layers(ir) for name in layer.outputs)
    return Plan((*inputs, *made))


def decide(ir: IR, value: str, patterns: Sequence[str] = ()) -> Decision:
    """The decision on one value, as `plan` takes it; for a graph that grows."""
    return _decide(ir.value(value), ir.producer(value), ir, patterns)


def _layers(ir: IR) -> Iterable[Layer]:
    return (layer for layer in ir.nodes if layer.kind != "probe")


def _decide(info: ValueInfo, layer: Layer | None, ir: IR, patterns: Sequence[str]) -> Decision:
    refusal = _refusal(info, layer, ir)
    if refusal is not None:
        return Decision(info.name, False, refusal)
    if not patterns:
        return Decision(info.name, True, "input of the model" if layer is None else f"after every {_noun(layer)}")
    pattern = next((pattern for pattern in patterns if fnmatchcase(info.name, pattern)), None)
    if pattern is None:
        return Decision(info.name, False, "its name matches no pattern")
    return Decision(info.name, True, f"its name matches {pattern!r}")


def _refusal(info: ValueInfo, layer: Layer | None, ir: IR) -> str | None:
    if layer is None and info.kind not in _DATA:
        return f"it is a {info.kind}, which is watched where it changes"
    if not info.is_tensor:
        return "output is not a tensor" if layer else "input is not a tensor"
    if not info.is_floating:
        return "output is not floating point" if layer else "input is not floating point"
    if info.shape is not None and 0 in info.shape:
        return "output has no elements" if layer else "input has no elements"
    if layer is not None and layer.kind == "movement" and not _narrows(info, layer, ir):
        return "same values as its input"
    return None


def _narrows(info: ValueInfo, layer: Layer, ir: IR) -> bool:
    sources = [ir.value(name).dtype for name in layer.inputs[:1] if name is not None]
    before, after = _WIDTHS.get((sources or [None])[0] or ""), _WIDTHS.get(info.dtype or "")
    return before is not None and after is not None and any(new < old for new, old in zip(after, before, strict=True))


def _noun(layer: Layer) -> str:
    return "layer" if layer.parameters or layer.module is not None else "operation"
