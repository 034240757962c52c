"""The text form, to the letter."""

import pytest

from hypocenter.ir.encoding import short_dtype
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.site import Site

EXPECTED = """\
main(x: f32[*, 784], label: i64[64] target, fc1.weight: f32[10, 784] parameter, fc1.bias: f32[10] parameter)
fc1: f32[64, 10] = Linear(x) {weight, bias}  # train.py:12
lstm: bf16[64, 10], lstm:1: ? = LSTM(fc1, _)  # layers.py:3
softmax: f32[64, 10] = Softmax(lstm, approximate=none, dim=1)
loss: f32[] = CrossEntropyLoss(softmax, label)
return softmax, loss"""


def test_text():
    ir = IR()
    ir.add_input("x", shape=(None, 784), dtype="float32", kind="input")
    ir.add_input("label", shape=(64,), dtype="int64", kind="target")
    ir.add_input("fc1.weight", shape=(10, 784), dtype="float32", kind="parameter")
    ir.add_input("fc1.bias", shape=(10,), dtype="float32", kind="parameter")
    user, library = Site("/home/ana/train.py", 12), Site("/lib/layers.py", 3)

    def add(name, op, inputs, outputs, **fields):
        defaults = {"scope": "", "kind": "layer", "definition": None, "call": None, "user": None}
        ir.add_node(name, op, inputs=inputs, outputs=outputs, **(defaults | fields))

    parameters = ["fc1.weight", "fc1.bias"]
    value = ValueInfo("fc1", (64, 10), "float32")
    add("fc1", "Linear", ["x"], [value], user=user, call=library, parameters=parameters, module="fc1")
    values = [ValueInfo("lstm", (64, 10), "bfloat16"), ValueInfo("lstm:1", None, None)]
    add("lstm", "LSTM", ["fc1", None], values, call=library)
    value = ValueInfo("softmax", (64, 10), "float32")
    add("softmax", "Softmax", ["lstm"], [value], attributes={"dim": 1, "approximate": "none"})
    add("loss", "CrossEntropyLoss", ["softmax", "label"], [ValueInfo("loss", (), "float32")])
    ir.mark_output("softmax")
    ir.mark_output("loss")
    ir.mark_output("loss")
    assert str(ir) == ir.to_text() == EXPECTED


def test_empty_graph():
    assert str(IR("nothing")) == "nothing()"
    assert repr(IR("nothing")) == "<IR 'nothing': 0 nodes, 0 inputs>"


@pytest.mark.parametrize(
    ("dtype", "short"),
    [("float32", "f32"), ("bfloat16", "bf16"), ("int64", "i64"), ("uint8", "u8"), ("complex64", "c64"),
     ("bool", "bool"), ("quint8", "quint8"), ("float8_e5m2", "float8_e5m2"), (None, "?")],
)  # fmt: skip
def test_short_dtypes(dtype, short):
    assert short_dtype(dtype) == short
