"""Which nodes may be saved in ONNX's own domain: those that its operator schema can say completely.

A node whose op type is ONNX's keeps, in the graph, the settings in the framework's words (`dim`, `stride`). For the
file they are translated; a node is written in the domain `torch` instead when a setting has no translation, when
the schema wants other inputs (ONNX's Reshape takes the shape as a tensor), or when the dtypes do not fit (ONNX does
not promote). So nothing in the file claims to be an ONNX operation that it is not.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import onnx

from hypocenter.ir.encoding import onnx_dtype
from hypocenter.ir.layer import Layer
from hypocenter.ir.view import OPSETS, GraphView

#: Settings that say nothing that the schema or the shapes do not say, or that only the framework needs.
_SILENT: Final = frozenset(
    {
        "inplace", "in_channels", "out_channels", "num_features", "num_channels", "return_indices",
        "elementwise_affine", "bias",
    }
)  # fmt: skip

Translation = Callable[[Any, int], Any]


def _same(value: Any, _axes: int) -> Any:
    return value


def _per_axis(value: Any, axes: int) -> Any:
    return [value] * axes if isinstance(value, int) else value


def _both_ends(value: Any, axes: int) -> Any:
    return value if isinstance(value, str) else _per_axis(value, axes) * 2


def _normalized_axes(value: Any, _axes: int) -> Any:
    return -1 if isinstance(value, int) else -len(value)


_WINDOW: Final[Mapping[str, tuple[str, Translation]]] = {
    "kernel_size": ("kernel_shape", _per_axis),
    "stride": ("strides", _per_axis),
    "padding": ("pads", _both_ends),
    "dilation": ("dilations", _per_axis),
}
_NORM: Final[Mapping[str, tuple[str, Translation]]] = {
    "normalized_shape": ("axis", _normalized_axes),
    "eps": ("epsilon", _same),
}

#: Per op type: the framework's setting, ONNX's attribute, and how the value is translated.
_TRANSLATIONS: Final[Mapping[str, Mapping[str, tuple[str, Translation]]]] = {
    "Softmax": {"dim": ("axis", _same)},
    "LogSoftmax": {"dim": ("axis", _same)},
    "Concat": {"dim": ("axis", _same), "axis": ("axis", _same)},
    "LeakyRelu": {"negative_slope": ("alpha", _same)},
    "Elu": {"alpha": ("alpha", _same)},
    "Celu": {"alpha": ("alpha", _same)},
    "Gelu": {"approximate": ("approximate", _same)},
    "Einsum": {"equation": ("equation", _same)},
    "Conv": {**_WINDOW, "groups": ("group", _same)},
    "ConvTranspose": {**_WINDOW, "groups": ("group", _same), "output_padding": ("output_padding", _per_axis)},
    "MaxPool": {**_WINDOW, "ceil_mode": ("ceil_mode", _same)},
    "AveragePool": {**_WINDOW, "ceil_mode": ("ceil_mode", _same), "count_include_pad": ("count_include_pad", _same)},
    "LayerNormalization": _NORM,
    "RMSNormalization": _NORM,
    "GroupNormalization": {"num_groups": ("num_groups", _same), "eps": ("epsilon", _same)},
    "InstanceNormalization": {"eps": ("epsilon", _same)},
    "Attention": {"is_causal": ("is_causal", _same), "scale": ("scale", _same)},
}

#: What ONNX takes as default and torch does not.
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "HardSigmoid": {"alpha": 1 / 6, "beta": 0.5},  # torch: relu6(x + 3) / 6; ONNX: 0.2 x + 0.5
    "AveragePool": {"count_include_pad": 1},
    "Concat": {"axis": 0},
    "LayerNormalization": {"axis": -1},
    "RMSNormalization": {"axis": -1},
}

#: Settings without which torch means something that ONNX's default does not.
_NEEDED: Final[Mapping[str, set[str]]] = {"Softmax": {"axis"}, "LogSoftmax": {"axis"}}


def _int64(value: Any) -> int:
    if not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError(f"{value!r} is no 64-bit integer")
    return int(value)


def _int64s(value: Any) -> list[int]:
    if not isinstance(value, list) or not value:
        raise TypeError(f"{value!r} is no list of integers")
    return [_int64(item) for item in value]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


#: How a value becomes one of the attribute's type; raises ValueError, TypeError or OverflowError when it cannot.
_COERCIONS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    onnx.defs.OpSchema.AttrType.INT: _int64,
    onnx.defs.OpSchema.AttrType.FLOAT: float,
    onnx.defs.OpSchema.AttrType.STRING: _text,
    onnx.defs.OpSchema.AttrType.INTS: _int64s,
}


def onnx_attributes(ir: GraphView, layer: Layer) -> dict[str, Any] | None:
    """ONNX attributes of a node that can be written in ONNX's domain; None for one that cannot."""
    if layer.domain or not onnx.defs.has(layer.op_type, OPSETS[""]):
        return None
    schema = onnx.defs.get_schema(layer.op_type, OPSETS[""])
    if not _fits(ir, layer, schema):
        return None
    try:
        attributes = _translated(ir, layer)
        typed = {name: _COERCIONS[schema.attributes[name].type](value) for name, value in (attributes or {}).items()}
    except (TypeError, ValueError, OverflowError, KeyError):
        return None  # a setting of a form that ONNX's attribute does not have, such as padding="same"
    needed = {name for name, entry in schema.attributes.items() if entry.required} | _NEEDED.get(layer.op_type, set())
    return typed if attributes is not None and needed <= typed.keys() else None


def _translated(ir: GraphView, layer: Layer) -> dict[str, Any] | None:
    table = _TRANSLATIONS.get(layer.op_type, {})
    attributes = dict(_DEFAULTS.get(layer.op_type, {}))
    if layer.op_type.startswith("Reduce"):
        attributes["keepdims"] = 0  # torch reduces all axes away; a named axis is a setting without translation
    shape = ir.value(layer.outputs[0]).shape if layer.outputs else None
    for key, value in layer.attributes.items():
        if key in _SILENT or value is None or (key, value) == ("padding_mode", "zeros"):
            continue
        if key not in table or (shape is None and key in _WINDOW):
            return None
        name, translate = table[key]
        attributes[name] = translate(value, len(shape or ()) - 2)
    if layer.op_type.endswith("Pool") and "kernel_shape" in attributes:
        attributes.setdefault("strides", attributes["kernel_shape"])  # torch's default; ONNX's is 1
    return attributes


def _fits(ir: GraphView, layer: Layer, schema: onnx.defs.OpSchema) -> bool:
    """Whether the numbers of inputs and outputs and the dtypes are those of the schema."""
    names = [*layer.inputs, *layer.parameters]
    if not schema.min_input <= len(names) <= schema.max_input:
        return False
    if not schema.min_output <= len(layer.outputs) <= schema.max_output:
        return False
    bound: dict[str, set[str]] = {}
    for formals, actuals in ((list(schema.inputs), names), (list(schema.outputs), layer.outputs)):
        for index, name in enumerate(actuals):
            formal = formals[min(index, len(formals) - 1)]  # the last one may be variadic
            if name is not None:
                dtype = onnx_dtype(ir.value(name).dtype)
                bound.setdefault(formal.type_str, set()).add(f"tensor({dtype.name.lower()})")
            elif formal.option != onnx.defs.OpSchema.FormalParameterOption.Optional:
                return False
    allowed = {entry.type_param_str: set(entry.allowed_type_strs) for entry in schema.type_constraints}
    return all(len(types) == 1 and types <= allowed.get(variable, {variable}) for variable, types in bound.items())
