"""Which weights the gradient reaches, which of them the optimizers hold, and where it stops."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from hypocenter.diagnose.ops import op
from hypocenter.diagnose.tensors import Series
from hypocenter.ir.graph import Layer

if TYPE_CHECKING:
    from hypocenter.diagnose.facts import Facts

#: Operations that hand values on and gradients not.
CUTTING: Final = frozenset({"detach", "data", "itemtensor"})
#: Operations whose derivative is zero wherever it exists.
STEPLIKE: Final = frozenset({"round", "floor", "ceil", "trunc", "fix", "sign", "heaviside", "floordivide", "sgn"})


@dataclass(frozen=True)
class GradientFlow:
    """Questions about gradients and optimizers.

    Args:
        facts: The run.
    """

    facts: "Facts"

    @cached_property
    def trainable(self) -> tuple[str, ...]:
        """Parameters that want gradients and are used by a layer that ran."""
        names = [name for event in self.facts.events("model") for name in event.get("trainable_names") or ()]
        return tuple(name for name in dict.fromkeys(names) if name in self.facts.parameter_layer)

    @cached_property
    def held(self) -> frozenset[str]:
        """Parameters that some optimizer holds."""
        groups = [group for optimizer in self.facts.optimizers for group in optimizer.groups]
        return frozenset(name for group in groups for name in group.get("parameters") or ())

    @cached_property
    def unknown(self) -> int:
        """Tensors that the optimizers hold and no model has."""
        groups = [group for optimizer in self.facts.optimizers for group in optimizer.groups]
        return sum(int(group.get("unknown") or 0) for group in groups)

    @cached_property
    def fed(self) -> frozenset[str]:
        """Parameters that had a gradient, be it zero."""
        return frozenset(name for name, rows in self.facts.gradients.items() if len(rows))

    @cached_property
    def moved(self) -> frozenset[str]:
        """Parameters that an optimizer's step ever changed."""
        return frozenset(name for name, rows in self.facts.updates.items() if _anything(rows))

    @cached_property
    def pulled(self) -> frozenset[str]:
        """Parameters whose gradient was ever other than zero."""
        return frozenset(name for name in self.fed if _anything(self.facts.gradients[name]))

    @cached_property
    def reached(self) -> frozenset[str]:
        """Values at which a gradient other than zero arrived."""
        return frozenset(name for name, rows in self.facts.backward.items() if _anything(rows))

    def position(self, parameter: str) -> int:
        """Place of a parameter's layer in execution order."""
        return self.facts.flow.order[self.facts.parameter_layer[parameter].name]

    def cut(self, layer: Layer) -> Layer | None:
        """The first operation after `layer` that keeps its gradient back; None when no such operation was recorded.

        That is an operation that cuts or flattens by nature, else the first one that gets a gradient and passes none.
        """
        ahead = self._after(layer)
        natural = [node for node in ahead if op(node) in CUTTING]
        if natural:
            return natural[0]
        for node in ahead:
            arrives = any(name in self.reached for name in node.outputs)
            passes = any(name in self.reached for name in self.facts.flow.inputs(node))
            if arrives and not passes:
                return node
        return next((node for node in ahead if op(node) in STEPLIKE), None)

    def _after(self, layer: Layer) -> list[Layer]:
        """Every node that computes with what a layer gave, views included, in execution order."""
        ir = self.facts.run.ir
        found: dict[str, Layer] = {}
        waiting = list(layer.outputs)
        while waiting:
            for node in ir.consumers(waiting.pop()):
                if node.name not in found:
                    found[node.name] = node
                    waiting.extend(node.outputs)
        return sorted(found.values(), key=lambda node: self.facts.flow.order[node.name])


def _anything(rows: Series) -> bool:
    return bool(np.any((rows["absmax"] > 0) | (rows.nonfinite > 0)))
