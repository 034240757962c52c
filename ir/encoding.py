"""How the graph's records are written as text in `metadata_props`, and dtype names of ONNX and the frameworks."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import onnx_ir

from hypocenter.ir.layer import Layer, Shape, ValueInfo
from hypocenter.ir.site import Site

#: Every key that hypocenter writes begins with this.
PREFIX: Final = "hypocenter."

_DTYPES: Final[Mapping[str, onnx_ir.DataType]] = {
    "float32": onnx_ir.DataType.FLOAT,
    "float64": onnx_ir.DataType.DOUBLE,
    "float16": onnx_ir.DataType.FLOAT16,
    "bfloat16": onnx_ir.DataType.BFLOAT16,
    "float8_e4m3fn": onnx_ir.DataType.FLOAT8E4M3FN,
    "float8_e4m3fnuz": onnx_ir.DataType.FLOAT8E4M3FNUZ,
    "float8_e5m2": onnx_ir.DataType.FLOAT8E5M2,
    "float8_e5m2fnuz": onnx_ir.DataType.FLOAT8E5M2FNUZ,
    "int8": onnx_ir.DataType.INT8,
    "int16": onnx_ir.DataType.INT16,
    "int32": onnx_ir.DataType.INT32,
    "int64": onnx_ir.DataType.INT64,
    "uint8": onnx_ir.DataType.UINT8,
    "uint16": onnx_ir.DataType.UINT16,
    "uint32": onnx_ir.DataType.UINT32,
    "uint64": onnx_ir.DataType.UINT64,
    "bool": onnx_ir.DataType.BOOL,
    "complex64": onnx_ir.DataType.COMPLEX64,
    "complex128": onnx_ir.DataType.COMPLEX128,
    "string": onnx_ir.DataType.STRING,
}

_SHORT: Final = {
    "float": "f", "bfloat": "bf", "int": "i", "uint": "u", "complex": "c",
}  # fmt: skip


def onnx_dtype(dtype: str | None) -> onnx_ir.DataType:
    """ONNX's element type; `UNDEFINED` for None and for a dtype that ONNX does not have (`quint8`, …)."""
    return _DTYPES.get(dtype or "", onnx_ir.DataType.UNDEFINED)


def short_dtype(dtype: str | None) -> str:
    """`f32` for `float32`, `bf16` for `bfloat16`, `i64` for `int64`; others as they are, `?` for None."""
    if dtype is None:
        return "?"
    stem = dtype.rstrip("0123456789")
    return _SHORT[stem] + dtype[len(stem) :] if stem in _SHORT and stem != dtype else dtype


def dumps(data: Any) -> str:
    """ASCII JSON (paths may hold what UTF-8 cannot), keys sorted; what JSON cannot hold is kept as its `repr`."""
    return json.dumps(data, default=repr, sort_keys=True)


@lru_cache(maxsize=4096)
def site_text(site: Site) -> str:
    """The site's JSON. Cached: the layers of a model share few lines."""
    return dumps(site.to_dict())


def site_from(text: str | None) -> Site | None:
    """The inverse of `site_text`; None for a missing entry."""
    return None if text is None else Site.from_dict(json.loads(text))


@lru_cache(maxsize=4096)
def value_text(shape: Shape | None, dtype: str | None, kind: str) -> str:
    """What ONNX's own value type cannot hold of a value in every case: unknown rank, foreign dtype, kind."""
    return dumps({"shape": shape, "dtype": dtype, "kind": kind})


def value_from(name: str, text: str) -> ValueInfo:
    """The inverse of `value_text`."""
    data = json.loads(text)
    shape = data["shape"]
    return ValueInfo(name, None if shape is None else tuple(shape), data["dtype"], data["kind"])


def node_metadata(layer: Layer) -> dict[str, str]:
    """The `metadata_props` of a node; what is empty is left out."""
    metadata = {PREFIX + "scope": layer.scope, PREFIX + "kind": layer.kind}
    for key, site in (("definition", layer.definition), ("call", layer.call), ("user", layer.user)):
        if site is not None:
            metadata[PREFIX + key] = site_text(site)
    if layer.attributes:
        metadata[PREFIX + "attributes"] = dumps(layer.attributes)
    if layer.parameters:
        metadata[PREFIX + "parameters"] = dumps(layer.parameters)
    if layer.module is not None:
        metadata[PREFIX + "module"] = layer.module
    return metadata
