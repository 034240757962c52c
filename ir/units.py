"""Which axis of a value counts its units: the channels of a convolution, the features of a linear layer."""

from functools import cache
from typing import Final

from hypocenter.ir.layer import Layer
from hypocenter.ir.optable import table
from hypocenter.ir.view import GraphView

#: Kinds whose output keeps the axis of their first input when it keeps the rank.
_INHERITING: Final = frozenset({"activation", "regularization", "pooling", "elementwise", "normalization", "probe"})
_CONVOLUTIONS: Final = frozenset({"Conv", "ConvTranspose"})


def unit_axis(ir: GraphView, layer: Layer) -> int | None:
    """The axis of units of the layer's first output, from 0; None where the values have no units.

    1. The op table names the axis: the last for a linear layer, 1 for a convolution on a batch.
    2. A convolution on a single sample, whose rank is one lower than its weight's, has its channels at axis 0.
    3. An activation, dropout, pooling or elementwise operation has the axis of its first input while the rank stays.
    4. A value of unknown rank, or with fewer axes than the table expects, has none.
    """
    rank = _rank(ir, layer)
    seen: Layer | None = layer
    while seen is not None and rank is not None and _rank(ir, seen) == rank:
        axis = _table_axes().get(seen.op_type)
        if axis is not None:
            axis = 0 if _is_unbatched(ir, seen, rank) else axis
            return axis % rank if -rank <= axis < rank else None
        source = seen.inputs[0] if seen.inputs and seen.kind in _INHERITING else None
        seen = None if source is None else ir.producer(source)
    return None


@cache
def _table_axes() -> dict[str, int]:
    return {row.op_type: row.unit_axis for row in table().values() if row.unit_axis is not None}


def _rank(ir: GraphView, layer: Layer) -> int | None:
    shape = ir.value(layer.outputs[0]).shape if layer.outputs else None
    return None if shape is None else len(shape)


def _is_unbatched(ir: GraphView, layer: Layer, rank: int) -> bool:
    weights = [name for name in (*layer.inputs[1:2], *layer.parameters[:1]) if name is not None]
    shapes = [ir.value(name).shape for name in weights]
    return layer.op_type in _CONVOLUTIONS and any(shape is not None and len(shape) == rank + 1 for shape in shapes)
