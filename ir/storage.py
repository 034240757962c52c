"""The graph as a `.onnx` file.

The file is a plain ONNX model: `onnx.checker.check_model` accepts it, and Netron opens it. Parameters are inputs
without data. Nodes that ONNX's operators cannot say completely are of the domain `torch` (see
`hypocenter.ir.onnx_schema`); all that is needed to read the graph back equal stands in `metadata_props`.
"""

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import onnx
import onnx_ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # publishes no types

from hypocenter.errors import BadInputError, HypocenterError, StorageError
from hypocenter.ir.encoding import PREFIX, dumps, site_from, value_from
from hypocenter.ir.graph import IR
from hypocenter.ir.layer import InputKind, Layer
from hypocenter.ir.onnx_schema import onnx_attributes

_FORMAT: Final = "1"
_UNKNOWN_RANK: Final = "unknown rank"
_AnyIR = TypeVar("_AnyIR", bound=IR)


def to_proto(ir: IR) -> onnx.ModelProto:
    """The graph as an ONNX message that onnx's checker accepts."""
    proto = onnx_ir.to_proto(ir.model)
    onnx.helper.set_model_props(proto, {PREFIX + "format": _FORMAT, PREFIX + "facts": dumps(ir.facts)})
    for node, layer in zip(proto.graph.node, ir.nodes, strict=True):
        node.metadata_props.add(key=PREFIX + "domain", value=layer.domain)
        attributes = onnx_attributes(ir, layer)
        if attributes is not None:
            node.attribute.extend(onnx.helper.make_attribute(name, value) for name, value in attributes.items())
        elif not layer.domain:
            node.domain = "torch"
    for value in (*proto.graph.input, *proto.graph.output):
        # ONNX wants a shape here; the true one, unknown rank, is in the metadata.
        if not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.dim.add(dim_param=_UNKNOWN_RANK)
    return proto


def from_proto(cls: type[_AnyIR], proto: onnx.ModelProto) -> _AnyIR:
    """The inverse of `to_proto`. Raises KeyError, ValueError or BadInputError where the message is not one of ours."""
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    if properties[PREFIX + "format"] != _FORMAT:
        raise ValueError("format " + properties[PREFIX + "format"])
    ir = cls(proto.graph.name)
    ir.facts = json.loads(properties[PREFIX + "facts"])
    values = {value.name: value for value in (*proto.graph.value_info, *proto.graph.output)}
    for value in proto.graph.input:
        info = value_from(value.name, _metadata(value)["value"])
        ir.add_input(info.name, shape=info.shape, dtype=info.dtype, kind=cast("InputKind", info.kind))
    for node in proto.graph.node:
        ir.add_layer(_layer(node), [value_from(name, _metadata(values[name])["value"]) for name in node.output])
    for value in proto.graph.output:
        ir.mark_output(value.name)
    return ir


def save(ir: IR, path: Path) -> None:
    """Writes to a temporary name and renames, so that a reader never sees half a file."""
    data = to_proto(ir).SerializeToString(deterministic=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the error that is reported is the first one
            temporary.unlink()
        message = f"cannot write the graph to {str(path)!r}: {error.strerror}"
        raise StorageError(message, slug="graph-not-written") from None


def load(cls: type[_AnyIR], path: Path) -> _AnyIR:
    """Reads and rebuilds; anything unexpected in the file is one error."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read the graph {str(path)!r}: {error.strerror}", slug="graph-not-read") from None
    try:
        return from_proto(cls, onnx.ModelProto.FromString(data))
    except (DecodeError, KeyError, ValueError, TypeError, AttributeError, HypocenterError) as error:
        raise BadInputError(
            f"{str(path)!r} is damaged or was not written by hypocenter: make it again with `hypocenter run`",
            slug="graph-damaged",
        ) from error


def _layer(node: onnx.NodeProto) -> Layer:
    data = _metadata(node)
    parameters = tuple(json.loads(data.get("parameters", "[]")))
    inputs = tuple(name or None for name in node.input)
    return Layer(
        name=node.name,
        op_type=node.op_type,
        domain=data["domain"],
        scope=data["scope"],
        kind=data["kind"],
        inputs=inputs[: len(inputs) - len(parameters)],
        outputs=tuple(node.output),
        definition=site_from(data.get("definition")),
        call=site_from(data.get("call")),
        user=site_from(data.get("user")),
        attributes=json.loads(data.get("attributes", "{}")),
        parameters=parameters,
        module=data.get("module"),
    )


def _metadata(message: Any) -> dict[str, str]:
    """Our entries of a node or value message, by key without prefix."""
    return {e.key.removeprefix(PREFIX): e.value for e in message.metadata_props if e.key.startswith(PREFIX)}
