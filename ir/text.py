"""The graph as text for people: one line per value that comes in, one per node.

    main(x: f32[64, 784], fc1.weight: f32[10, 784] parameter, fc1.bias: f32[10] parameter)
    fc1: f32[64, 10] = Linear(x) {weight, bias}  # train.py:12
    relu: f32[64, 10] = Relu(fc1)  # train.py:20
    return relu

A node shows its outputs with dtype and shape (`*` is a dimension that varies, no brackets an unknown shape), the
operation, the values it reads (`_` is an absent one), its settings, its parameters relative to its scope, and the
user's line that called it, else the line that defined it.
"""

from pathlib import PurePath
from typing import Any

from hypocenter.ir.encoding import dumps, short_dtype
from hypocenter.ir.layer import Layer, ValueInfo
from hypocenter.ir.view import GraphView


def to_text(ir: GraphView) -> str:
    """The whole graph, without a newline at the end."""
    inputs = ", ".join(_input_text(info) for info in ir.inputs)
    lines = [f"{ir.name}({inputs})", *(node_text(ir, layer) for layer in ir.nodes)]
    if ir.outputs:
        lines.append("return " + ", ".join(ir.outputs))
    return "\n".join(lines)


def node_text(ir: GraphView, layer: Layer) -> str:
    """The line of one node."""
    outputs = ", ".join(value_text(ir.value(name)) for name in layer.outputs)
    sources = [name or "_" for name in layer.inputs]
    settings = [f"{key}={_setting_text(value)}" for key, value in layer.attributes.items()]
    text = f"{layer.op_type}({', '.join(sources + settings)})"
    if outputs:
        text = f"{outputs} = {text}"
    if layer.parameters:
        prefix = f"{layer.module or layer.scope}."
        text += f" {{{', '.join(name.removeprefix(prefix) for name in layer.parameters)}}}"
    site = layer.user or layer.call or layer.definition
    return text if site is None else f"{text}  # {PurePath(site.file).name}:{site.line}"


def value_text(info: ValueInfo) -> str:
    """Name, dtype and shape: `fc1: f32[64, 10]`."""
    if info.shape is None:
        return f"{info.name}: {short_dtype(info.dtype)}"
    dimensions = ", ".join("*" if size is None else str(size) for size in info.shape)
    return f"{info.name}: {short_dtype(info.dtype)}[{dimensions}]"


def _input_text(info: ValueInfo) -> str:
    return value_text(info) if info.kind == "input" else f"{value_text(info)} {info.kind}"


def _setting_text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)
