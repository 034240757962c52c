"""The graph grows by name, answers by name, and refuses what would make it ambiguous."""

import copy

import onnx_ir
import pytest

from hypocenter.errors import BadInputError
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.site import Site

SITE = Site("/home/ana/train.py", 12, column=9, end_column=30, snippet="self.fc1 = nn.Linear(784, 10)")


def add(ir, name, inputs, *, op="Relu", outputs=None, shape=(64, 10), dtype="float32", **fields):
    outputs = [ValueInfo(name, shape, dtype)] if outputs is None else outputs
    defaults = {"scope": "", "kind": "activation", "definition": None, "call": None, "user": None}
    ir.add_node(name, op, inputs=inputs, outputs=outputs, **(defaults | fields))


@pytest.fixture
def ir():
    graph = IR()
    graph.add_input("x", shape=(64, 784), dtype="float32", kind="input")
    graph.add_input("fc1.weight", shape=(10, 784), dtype="float32", kind="parameter")
    graph.add_input("fc1.bias", shape=(10,), dtype="float32", kind="parameter")
    add(
        graph, "fc1", ["x"], op="Linear", domain="torch", scope="fc1", kind="layer", definition=SITE, call=SITE,
        user=SITE, parameters=["fc1.weight", "fc1.bias"], module="fc1", attributes={"out_features": 10},
    )  # fmt: skip
    add(graph, "relu", ["fc1"])
    add(graph, "add", ["relu", "fc1"], op="Add", kind="elementwise")
    graph.mark_output("add")
    return graph


def test_layer_reads_back_what_was_added(ir):
    layer = ir.node("fc1")
    assert (layer.op_type, layer.domain, layer.scope, layer.kind) == ("Linear", "torch", "fc1", "layer")
    assert layer.inputs == ("x",)
    assert layer.outputs == ("fc1",)
    assert layer.parameters == ("fc1.weight", "fc1.bias")
    assert layer.definition == layer.call == layer.user == SITE
    assert layer.attributes == {"out_features": 10}
    assert layer.module == "fc1"


def test_look_ups(ir):
    assert [layer.name for layer in ir.nodes] == ["fc1", "relu", "add"]
    assert [layer.name for layer in ir.consumers("fc1")] == ["relu", "add"]
    assert [layer.name for layer in ir.consumers("fc1.weight")] == ["fc1"]
    assert ir.producer("relu") == ir.node("relu")
    assert ir.producer("x") is None
    assert ir.producer("nothing") is None
    assert ir.consumers("nothing") == ()
    assert "relu" in ir
    assert "x" not in ir
    assert ir.value("fc1.bias") == ValueInfo("fc1.bias", (10,), "float32", "parameter")
    assert [info.kind for info in ir.inputs] == ["input", "parameter", "parameter"]
    assert ir.outputs == ("add",)


def test_it_is_an_onnx_ir_model(ir):
    assert isinstance(ir.model, onnx_ir.Model)
    node = ir.model.graph.node("fc1")
    assert [value.name for value in node.inputs] == ["x", "fc1.weight", "fc1.bias"]
    assert node.metadata_props["hypocenter.scope"] == "fc1"
    assert '"line": 12' in node.metadata_props["hypocenter.definition"]
    assert node.outputs[0].dtype == onnx_ir.DataType.FLOAT
    assert list(node.outputs[0].shape) == [64, 10]


def test_value_used_twice_has_one_consumer(ir):
    add(ir, "mul", ["add", "add"], op="Mul")
    assert [layer.name for layer in ir.consumers("add")] == ["mul"]
    assert ir.node("mul").inputs == ("add", "add")


def test_several_outputs_and_absent_inputs(ir):
    values = [ValueInfo("lstm", (5, 8), "float32"), ValueInfo("lstm:1", None, None)]
    add(ir, "lstm", ["x", None], op="LSTM", domain="torch", outputs=values)
    assert ir.node("lstm").inputs == ("x", None)
    assert ir.producer("lstm:1").name == "lstm"
    assert not ir.value("lstm:1").is_tensor


@pytest.mark.parametrize(
    "dtype",
    ["float16", "bfloat16", "float64", "complex64", "bool", "int64", "uint8", "float8_e4m3fn", "quint8", "odd", None],
)
def test_any_dtype(ir, dtype):
    add(ir, "cast", ["x"], op="to", domain="torch", dtype=dtype)
    assert ir.value("cast").dtype == dtype
    assert ir.value("cast").is_floating == (dtype is not None and "float" in dtype)


@pytest.mark.parametrize(
    ("seen", "result"),
    [
        ([(64, 10)], (64, 10)),
        ([(32, 10)], (None, 10)),
        ([(32, 10), (64, 10)], (None, 10)),
        ([(32, 10), (64, 5)], (None, None)),
        ([(64, 10, 1)], None),
        ([(64, 10, 1), (64, 10)], None),
        ([None], None),
    ],
)
def test_widen(ir, seen, result):
    for shape in seen:
        info = ir.widen("relu", shape)
    assert info == ir.value("relu")
    assert info.shape == result
    onnx_shape = ir.model.graph.node("relu").outputs[0].shape
    assert (onnx_shape is None) == (result is None)


def test_widened_inputs_are_seen(ir):
    assert ir.inputs[0].shape == (64, 784)
    ir.widen("x", (1, 784))
    assert ir.inputs[0].shape == (None, 784)


def test_unique_name(ir):
    assert ir.unique_name("gelu") == "gelu"
    assert ir.unique_name("relu") == "relu_1"
    assert ir.unique_name("x") == "x_1"
    add(ir, "relu_1", ["x"])
    assert ir.unique_name("relu") == "relu_2"


@pytest.mark.parametrize(
    ("action", "slug"),
    [
        (lambda ir: add(ir, "relu", ["x"]), "duplicate-name"),
        (lambda ir: add(ir, "x", ["relu"]), "duplicate-name"),
        (lambda ir: add(ir, "", ["relu"]), "duplicate-name"),
        (lambda ir: add(ir, "a", ["x"], outputs=[ValueInfo("a", (), "bool")] * 2), "duplicate-name"),
        (lambda ir: ir.add_input("relu", shape=(), dtype="float32", kind="input"), "duplicate-name"),
        (lambda ir: add(ir, "a", ["nowhere"]), "unknown-value"),
        (lambda ir: add(ir, "a", ["x"], parameters=["nowhere"]), "unknown-value"),
        (lambda ir: add(ir, "a", ["x"], after="nowhere"), "unknown-value"),
        (lambda ir: ir.mark_output("nowhere"), "unknown-value"),
        (lambda ir: ir.widen("nowhere", (1,)), "unknown-value"),
        (lambda ir: ir.value("nowhere"), "unknown-value"),
        (lambda ir: ir.node("nowhere"), "unknown-node"),
        (lambda ir: ir.remove_node("relu"), "value-in-use"),
        (lambda ir: ir.remove_node("add"), "value-in-use"),
    ],
)
def test_refusals_leave_the_graph_as_it_was(ir, action, slug):
    before = ir.copy()
    with pytest.raises(BadInputError) as error:
        action(ir)
    assert error.value.slug == slug
    assert ir == before
    assert [layer.name for layer in ir.consumers("x")] == ["fc1"]


def test_a_graph_needs_a_name():
    with pytest.raises(BadInputError, match="needs a name"):
        IR("")


def test_attributes_read_as_json_would_read_them(ir):
    add(ir, "pad", ["x"], attributes={"size": (1, 2), "value": float("-inf"), "dtype": complex(1, 2)})
    assert ir.node("pad").attributes == {"size": [1, 2], "value": float("-inf"), "dtype": "(1+2j)"}


def test_equality_is_structural(ir):
    twin = ir.copy()
    assert twin == ir
    assert copy.deepcopy(ir) == ir
    ir.widen("relu", (1, 10))
    assert twin != ir
    twin.widen("relu", (1, 10))
    assert twin == ir
    twin.facts["seed"] = 0
    assert twin != ir
    assert ir != "graph"


def test_equality_sees_every_field(ir):
    other = Site("/home/ana/train.py", 13)
    changes = {"scope": "a", "kind": "other", "definition": other, "call": other, "user": other,
               "attributes": {"alpha": 1}, "parameters": ["fc1.bias"], "module": "m", "domain": "torch"}  # fmt: skip
    add(plain := ir.copy(), "n", ["x"])
    for field, value in changes.items():
        add(changed := ir.copy(), "n", ["x"], **{field: value})
        assert changed != plain, field


def test_nan_attribute_equals_itself(ir):
    add(ir, "fill", ["x"], attributes={"value": float("nan")})
    assert ir.copy() == ir


def test_a_node_can_be_put_in_between(ir):
    add(ir, "probe", ["fc1"], after="fc1")
    add(ir, "first", ["x"], after="x")
    assert [layer.name for layer in ir.nodes] == ["first", "fc1", "probe", "relu", "add"]


def test_replace_input_and_remove(ir):
    before = ir.copy()
    add(ir, "probe", ["fc1"], after="fc1")
    ir.replace_input("add", "fc1", "probe")
    assert ir.node("add").inputs == ("relu", "probe")
    assert [layer.name for layer in ir.consumers("probe")] == ["add"]
    ir.replace_input("add", "probe", "fc1")
    ir.remove_node("probe")
    assert ir == before
    assert [layer.name for layer in ir.consumers("fc1")] == ["relu", "add"]
