"""A saved graph is an ONNX file for everybody else, and the same graph for us."""

import errno
import os
from pathlib import Path

import onnx
import pytest

from hypocenter.errors import BadInputError, StorageError
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.optable import spec
from hypocenter.ir.site import Site
from hypocenter.ir.storage import to_proto

F32 = "float32"


class Builder:
    """A graph in the words of torch."""

    def __init__(self):
        self.ir = IR("main")

    def input(self, name, shape, dtype=F32, kind="input"):
        self.ir.add_input(name, shape=shape, dtype=dtype, kind=kind)
        return name

    def op(self, torch_name, inputs, shape, *, result=F32, parameters=(), outputs=None, **attributes):
        row, name = spec(torch_name), self.ir.unique_name(torch_name.lower())
        self.ir.add_node(
            name, row.op_type, domain=row.domain, scope="net", kind=row.kind, inputs=inputs,
            outputs=[ValueInfo(name, shape, result), *(outputs or [])], attributes=attributes, parameters=parameters,
            definition=Site("/a.py", 1), call=Site("/b.py", 2, library=True), user=Site("/a.py", 3), module="net.x",
        )  # fmt: skip
        return name

    def saved(self):
        """The nodes of the file: {name: (domain, {attribute: value})}, after onnx's checker has accepted it."""
        proto = to_proto(self.ir)
        onnx.checker.check_model(proto)
        onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
        return {
            node.name: (node.domain, {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute})
            for node in proto.graph.node
        }


@pytest.fixture
def net():
    return Builder()


def check_round_trip(ir, folder):
    path = folder / "ir.onnx"
    ir.save(path)
    onnx.checker.check_model(str(path))
    loaded = IR.load(path)
    assert loaded == ir
    assert loaded.nodes == ir.nodes
    assert loaded.to_text() == ir.to_text()
    loaded.verify()
    assert [file.name for file in folder.iterdir()] == ["ir.onnx"]


def test_round_trip(net, tmp_path):
    x = net.input("x", (None, 3, 32, 32))
    net.input("unknown", None, None, "constant")
    net.input("foreign", (2,), "quint8", "buffer")
    for name, shape in (("w", (8, 3, 3, 3)), ("b", (8,))):
        net.input(name, shape, kind="parameter")
    conv = net.op("Conv2d", [x], (4, 8, 30, 30), parameters=["w", "b"], kernel_size=[3, 3], stride=1)
    relu = net.op("relu_", [conv], (4, 8, 30, 30))
    lstm = net.op("LSTM", [relu, None], None, outputs=[ValueInfo("h", None, None), ValueInfo("c", (1,), "bfloat16")])
    net.op("topk", ["c"], None, result=None, args=[float("nan"), None, "é", "\udcff", (1, 2)])
    net.ir.mark_output(lstm)
    net.ir.mark_output("c")
    net.ir.facts.update(seed=0, name="é", nested={"a": [1, None]})
    check_round_trip(net.ir, tmp_path)


@pytest.mark.parametrize("ir", [IR(), IR("other")])
def test_empty_graph(ir, tmp_path):
    check_round_trip(ir, tmp_path)


@pytest.mark.parametrize(
    "dtype",
    [
        "float16",
        "bfloat16",
        "float64",
        "complex64",
        "complex128",
        "bool",
        "int8",
        "uint16",
        "float8_e4m3fn",
        "odd",
        None,
    ],
)
def test_every_dtype(net, dtype, tmp_path):
    net.op("clone", [net.input("x", (2,), dtype)], (2,), result=dtype)
    net.ir.mark_output("clone")
    check_round_trip(net.ir, tmp_path)


def test_conv_keeps_its_settings(net):
    for name, shape in (("w", (8, 3, 3, 3)), ("b", (8,))):
        net.input(name, shape, kind="parameter")
    name = net.op(
        "Conv2d", [net.input("x", (4, 3, 32, 32))], (4, 8, 16, 16), parameters=["w", "b"], in_channels=3,
        out_channels=8, kernel_size=3, stride=[2, 2], padding=1, dilation=1, groups=1, padding_mode="zeros", bias=True,
    )  # fmt: skip
    domain, attributes = net.saved()[name]
    assert domain == ""
    assert attributes == {
        "kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "dilations": [1, 1], "group": 1,
    }  # fmt: skip


@pytest.mark.parametrize("settings", [{"padding": "same"}, {"padding_mode": "circular"}, {"args": [1]}, {"stride": {}}])
def test_what_onnx_cannot_say_is_torchs(net, settings):
    net.input("w", (8, 3, 3, 3), kind="parameter")
    name = net.op("Conv2d", [net.input("x", (4, 3, 32, 32))], (4, 8, 16, 16), parameters=["w"], **settings)
    assert net.saved()[name] == ("torch", {})


@pytest.mark.parametrize(
    ("torch_name", "inputs", "settings", "expected"),
    [
        ("softmax", ["x"], {"dim": 1}, {"axis": 1}),
        ("softmax", ["x"], {}, None),
        ("softmax", ["x"], {"dim": 1, "dtype": "float64"}, None),
        ("softmax", ["x"], {"dim": 2**70}, None),
        ("LogSoftmax", ["x"], {"dim": -1}, {"axis": -1}),
        ("cat", ["x", "y"], {"dim": 0}, {"axis": 0}),
        ("cat", ["x", "y"], {}, {"axis": 0}),
        ("add", ["x", "y"], {}, {}),
        ("add", ["x", "y"], {"alpha": 2}, None),
        ("add", ["x"], {"args": [1]}, None),
        ("add", ["x", "half"], {}, None),
        ("add", ["x", None], {}, None),
        ("div", ["x", "y"], {}, {}),
        ("div", ["x", "y"], {"rounding_mode": "floor"}, None),
        ("mean", ["x"], {}, {"keepdims": 0}),
        ("mean", ["x"], {"dim": 1}, None),
        ("gelu", ["x"], {"approximate": "tanh"}, {"approximate": b"tanh"}),
        ("gelu", ["x"], {"approximate": 3}, None),
        ("gelu", ["complex"], {}, None),
        ("leaky_relu", ["x"], {"negative_slope": 1}, {"alpha": 1.0}),
        ("Hardsigmoid", ["x"], {"inplace": True}, {"alpha": pytest.approx(1 / 6), "beta": 0.5}),
        ("einsum", ["x", "y"], {"equation": "ij,ij->ij"}, {"equation": b"ij,ij->ij"}),
        ("einsum", ["x", "y"], {}, None),
        ("LayerNorm", ["x", "w"], {"normalized_shape": [4], "eps": 1e-3}, {"axis": -1, "epsilon": pytest.approx(1e-3)}),
        ("LayerNorm", ["x"], {"normalized_shape": [4]}, None),
        ("BatchNorm1d", ["x", "w", "w"], {"eps": 1e-5}, None),
        ("where", ["mask", "x", "y"], {}, {}),
        ("where", ["x", "x", "y"], {}, None),
        ("clamp", ["x"], {"min": 0}, None),
        ("relu", ["nothing"], {}, None),
        ("linear", ["x", "w"], {}, None),
        ("no_such_operation", ["x"], {"a": None}, None),
    ],
)
def test_which_domain(net, torch_name, inputs, settings, expected):
    for name in ("x", "y"):
        net.input(name, (4, 4))
    net.input("w", (4,))
    net.input("half", (4, 4), "float16")
    net.input("complex", (4, 4), "complex64")
    net.input("mask", (4, 4), "bool")
    net.input("nothing", None, None)
    shape = (8, 4) if torch_name == "cat" else () if torch_name == "mean" else (4, 4)
    name = net.op(torch_name, inputs, shape, **settings)
    assert net.saved()[name] == (("torch", {}) if expected is None else ("", expected))
    assert net.ir.node(name).domain == spec(torch_name).domain  # the graph itself is not changed by saving


def test_a_promoted_result_is_torchs(net):
    name = net.op("relu", [net.input("x", (2,), "float16")], (2,))
    assert net.saved()[name] == ("torch", {})


def test_pooling_has_torchs_default_stride(net):
    name = net.op("MaxPool2d", [net.input("x", (4, 3, 8, 8))], (4, 3, 4, 4), kernel_size=2, stride=None)
    assert net.saved()[name] == ("", {"kernel_shape": [2, 2], "strides": [2, 2]})


def test_foreign_reader_finds_the_sites(net):
    net.op("relu", [net.input("x", (2,))], (2,))
    (node,) = to_proto(net.ir).graph.node
    properties = {entry.key: entry.value for entry in node.metadata_props}
    assert properties["hypocenter.scope"] == "net"
    assert properties["hypocenter.user"] == '{"file": "/a.py", "line": 3, "role": "definition"}'


def damage(data):
    ours = onnx.ModelProto.FromString(data)
    foreign = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []))
    newer = onnx.ModelProto.FromString(data)
    newer.metadata_props[0].value = "999"
    bare = onnx.ModelProto.FromString(data)
    del bare.graph.node[0].metadata_props[:]
    cut = onnx.ModelProto.FromString(data)
    del cut.graph.input[:]
    no_values = onnx.ModelProto.FromString(data)
    del no_values.graph.value_info[:]
    text = onnx.ModelProto.FromString(data)
    text.metadata_props[1].value = "{"
    assert ours.metadata_props[0].key == "hypocenter.format"
    return {
        "empty": b"", "noise": os.urandom(100), "truncated": data[: len(data) // 2], "flipped": b"\xff" + data[1:],
        **{
            name: proto.SerializeToString()
            for name, proto in {
                "foreign": foreign, "newer": newer, "bare": bare, "cut": cut, "no values": no_values, "text": text,
            }.items()
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    "how", ["empty", "noise", "truncated", "flipped", "foreign", "newer", "bare", "cut", "no values", "text"]
)
def test_damaged_files(net, tmp_path, how):
    net.op("relu", [net.op("gelu", [net.input("x", (2,))], (2,))], (2,))
    path = tmp_path / "ir.onnx"
    net.ir.save(path)
    path.write_bytes(damage(path.read_bytes())[how])
    with pytest.raises(BadInputError) as error:
        IR.load(path)
    assert error.value.slug == "graph-damaged"
    assert repr(str(path)) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(BadInputError, match=r"cannot read the graph .*No such file") as error:
        IR.load(tmp_path / "none.onnx")
    assert error.value.slug == "graph-not-read"


def test_missing_folder(net, tmp_path):
    with pytest.raises(StorageError, match="cannot write the graph"):
        net.ir.save(tmp_path / "no" / "ir.onnx")


def test_a_failed_save_leaves_the_old_file(net, tmp_path, monkeypatch):
    path = tmp_path / "ir.onnx"
    net.ir.save(path)
    before = path.read_bytes()
    net.input("x", (2,))

    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="No space left") as error:
        net.ir.save(path)
    assert error.value.slug == "graph-not-written"
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["ir.onnx"]
