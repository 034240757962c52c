"""The values of one training step, to ask which of them are bad."""

from typing import TYPE_CHECKING, Final

import numpy as np

from hypocenter.diagnose.ops import op
from hypocenter.diagnose.stats import Stats
from hypocenter.diagnose.tensors import Series
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Operations that write -inf on purpose, to mask.
_MASKING: Final = frozenset(
    {
        "where",
        "maskedfill",
        "full",
        "fill",
        "indexfill",
        "indexput",
        "triu",
        "tril",
        "maskedscatter",
        "setitem",
        "scatter",
    }
    | {"pad"}
)
#: Operations that hand a mask on.
_CARRYING: Final = frozenset({"add", "sub", "cat", "stack", "minimum", "maximum", "mul", "clamp", "expand", "repeat"})
#: Kinds of graph inputs that may hold a mask, and the operations that then read them.
_OUTSIDE: Final = frozenset({"input", "buffer", "constant"})
_READING: Final = frozenset({"add", "sub", "where", "softmax", "attention", "minimum", "maximum"})


class Moment:
    """One forward pass of one step, and the backward pass that followed.

    Args:
        facts: The run.
        step: Training steps completed before.
        call: Which top-level forward pass of the step; None for whichever recorded a value.
        training: Whether it is a training pass.
    """

    def __init__(self, facts: "Facts", step: int, call: int | None = None, *, training: bool = True) -> None:
        self.facts = facts
        self.flow = facts.flow
        self.step = step
        self.call = call
        self.training = training
        self._values: dict[str, Stats] = {}
        self._gradients: dict[str, Stats | None] = {}

    def _rows(self, series: Series | None, *, training: bool | None = None) -> Series | None:
        if series is None:
            return None
        rows = series.at(self.step)
        if training is not None and len(rows):
            rows = rows.take(rows.training == training)
        if self.call is not None and np.any(rows.call == self.call):
            rows = rows.at(self.step, self.call)
        return rows if len(rows) else None

    def _describe(self, name: str) -> dict[str, object]:
        if not self.facts.run.ir.has_value(name):
            return {}
        info = self.facts.run.ir.value(name)
        return {"kind": info.kind, "dtype": info.dtype, "shape": info.shape}

    def value(self, name: str) -> Stats:
        """What is known of a value, target or parameter in this pass."""
        if name not in self._values:
            about = self._describe(name)
            facts = self.facts
            outputs = facts.forward if self.training else facts.inference
            rows = self._rows(outputs.get(name))
            rows = rows or self._rows(facts.inputs.get(name), training=self.training)
            rows = rows or self._rows(facts.targets.get(name)) or self._rows(facts.weights.get(name))
            self._values[name] = Stats(name, **about) if rows is None else Stats.of_rows(rows, **about)  # type: ignore[arg-type]  # the keys of _describe are fields of Stats
        return self._values[name]

    def repeated(self, node: Layer) -> bool:
        """Whether the node stands for several calls in this pass, as at the end of a long loop.

        Only what went into the first of them is known, so that bad values may have come into a later one.
        """
        rows = self._rows((self.facts.forward if self.training else self.facts.inference).get(node.outputs[0]))
        return rows is not None and len(np.unique(rows.call)) < len(rows)

    def gradient(self, name: str) -> Stats | None:
        """The gradient with respect to a value or of a parameter in this step; None when it was not recorded."""
        if name not in self._gradients:
            rows = self._rows(self.facts.backward.get(name)) or self._rows(self.facts.gradients.get(name))
            about = self._describe(name)
            self._gradients[name] = None if rows is None else Stats.of_rows(rows, **about)
        return self._gradients[name]

    def bad(self, name: str) -> bool:
        """Whether a value holds NaN or infinity, other than -inf that masks."""
        stats = self.value(name)
        return not stats.finite and not self.masked(name)

    def bad_gradient(self, name: str) -> bool:
        """Whether a gradient holds NaN or infinity."""
        stats = self.gradient(name)
        return stats is not None and not stats.finite

    def masked(self, name: str, depth: int = 0) -> bool:
        """Whether all that is not finite in a value is -inf that an operation wrote there to mask."""
        stats = self.value(name)
        if stats.finite or not stats.only_minus_infinity or depth > 32:
            return False
        node = self.flow.ir.producer(name)
        if node is None:
            return stats.kind in _OUTSIDE and all(op(reader) in _READING for reader in self.flow.consumers(name))
        if op(node) in _MASKING:
            return True
        return op(node) in _CARRYING and any(
            self.masked(source, depth + 1) or not self.value(source).known for source in self.flow.inputs(node)
        )

    def feeds(self, node: Layer) -> tuple[Stats, ...]:
        """What went into a node, parameters last."""
        names = (*self.flow.inputs(node), *node.parameters)
        return tuple(self.value(name) for name in dict.fromkeys(names))

    def bad_feeds(self, node: Layer) -> tuple[str, ...]:
        """The inputs and parameters of a node that are bad."""
        return tuple(stats.name for stats in self.feeds(node) if self.bad(stats.name))

    def output(self, node: Layer) -> Stats:
        """The node's output that went bad, or its first one."""
        return next(
            (self.value(name) for name in node.outputs if not self.value(name).finite), self.value(node.outputs[0])
        )
