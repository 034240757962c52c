"""The op table names what exists, in torch and in ONNX, and its bounds follow from the derivatives."""

import onnx
import pytest
import torch

from hypocenter.ir import opspec
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.optable import OpSpec, plain_name, spec, table
from hypocenter.ir.units import unit_axis
from hypocenter.ir.view import OPSETS

#: Names of the table that exist as an operator of Python, not as an attribute of torch.
OPERATORS = {
    "rdiv": "__rdiv__", "rpow": "__rpow__", "rfloor_divide": "__rfloordiv__", "rremainder": "__rmod__",
    "rmatmul": "__rmatmul__", "getitem": "__getitem__", "setitem": "__setitem__",
}  # fmt: skip

PLACES = (
    torch, torch.nn, torch.nn.functional, torch.Tensor, torch.special, torch.linalg, torch.ops.aten, torch._C._nn,
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(table()))
def test_every_name_exists_in_torch(name):
    name = OPERATORS.get(name, name)
    assert any(hasattr(place, name) or hasattr(place, f"{name}_") for place in PLACES)


def test_a_name_that_torch_does_not_have_is_seen():
    assert not any(hasattr(place, "no_such_operation") for place in PLACES)


def test_the_table_is_large():
    assert len(table()) > 300


@pytest.mark.parametrize("op_type", sorted({row.op_type for row in table().values() if row.domain == ""}))
def test_every_onnx_op_exists_in_onnx(op_type):
    assert onnx.defs.has(op_type, OPSETS[""])


@pytest.mark.parametrize("row", sorted(set(table().values()), key=repr))
def test_rows_are_coherent(row):
    assert row.minimum <= row.maximum
    assert row.low < row.high
    assert row.low == -torch.inf or row.minimum <= row.low
    assert row.high == torch.inf or row.high <= row.maximum or row.op_type == "HardTanh"
    assert row.domain in OPSETS


@pytest.mark.parametrize(
    ("name", "op_type"),
    [
        ("relu_", "Relu"), ("ReLU", "Relu"), ("add_", "Add"), ("__add__", "Add"), ("__radd__", "Add"),
        ("__iadd__", "Add"), ("__rsub__", "RSub"), ("__isub__", "Sub"), ("__truediv__", "Div"),
        ("__rtruediv__", "RDiv"), ("__rdiv__", "RDiv"), ("__rpow__", "RPow"), ("__matmul__", "MatMul"),
        ("__and__", "BitwiseAnd"), ("__invert__", "BitwiseNot"), ("__getitem__", "GetItem"), ("__neg__", "Neg"),
        ("torch.nn.functional.gelu", "Gelu"), ("_max_pool2d", "MaxPool"), ("special_expit", "Sigmoid"),
        ("linalg_vector_norm", "Norm"), ("_softmax", "Softmax"), ("CrossEntropyLoss", "CrossEntropyLoss"),
        ("cross_entropy", "CrossEntropyLoss"),
    ],
)  # fmt: skip
def test_spellings(name, op_type):
    assert spec(name).op_type == op_type


@pytest.mark.parametrize("name", ["no_such_operation", "__index__", "__r__", "__", "", "wibble_", "__xadd__"])
def test_unknown_names(name):
    assert spec(name) == OpSpec(plain_name(name), "torch", "other")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Linear", "layer"), ("Conv2d", "layer"), ("relu", "activation"), ("BatchNorm2d", "normalization"),
        ("MaxPool2d", "pooling"), ("Dropout", "regularization"), ("mul", "elementwise"), ("mean", "reduction"),
        ("bmm", "matmul"), ("scaled_dot_product_attention", "attention"), ("LSTM", "recurrent"),
        ("Embedding", "embedding"), ("view", "movement"), ("to", "movement"), ("MSELoss", "loss"), ("cat", "other"),
    ],
)  # fmt: skip
def test_kinds(name, kind):
    assert spec(name).kind == kind


ACTIVATIONS = ["sigmoid", "tanh", "softsign", "elu", "celu", "selu", "softplus", "logsigmoid", "relu", "relu6",
               "hardsigmoid", "hardtanh"]  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_bounds_are_where_the_derivative_is_one_percent(name):
    x = torch.linspace(-40, 40, 400_001, dtype=torch.float64, requires_grad=True)
    y = getattr(torch.nn.functional, name)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    saturated = (y <= spec(name).low) | (y >= spec(name).high)
    assert saturated.any()
    tolerance = 1e-6  # the derivative is taken numerically exactly; only the bounds are rounded
    assert slope[saturated].max() <= opspec.SATURATED_SLOPE + tolerance
    assert slope[~saturated].min() > opspec.SATURATED_SLOPE - tolerance


@pytest.mark.parametrize("name", [*ACTIVATIONS, "gelu", "silu", "mish", "hardswish", "leaky_relu", "cos", "exp", "abs"])
def test_outputs_lie_in_the_stated_range(name):
    x = torch.cat([torch.linspace(-80, 80, 400_001, dtype=torch.float64), torch.tensor([-1e6, 1e6]).double()])
    y = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    low, high = y(x).aminmax()
    assert spec(name).minimum <= low
    assert high <= spec(name).maximum or name == "hardtanh"
    if spec(name).minimum > -torch.inf:
        assert low - spec(name).minimum < 1e-3  # the stated range is not wider than it need be


def layer(ir, name, torch_name, source, shape, parameters=()):
    row = spec(torch_name)
    ir.add_node(
        name, row.op_type, domain=row.domain, scope="", kind=row.kind, inputs=[source],
        outputs=[ValueInfo(name, shape, "float32")], definition=None, call=None, user=None, parameters=parameters,
    )  # fmt: skip
    return unit_axis(ir, ir.node(name))


def test_unit_axis():
    ir = IR()
    ir.add_input("x", shape=(8, 3, 32, 32), dtype="float32", kind="input")
    ir.add_input("w", shape=(16, 3, 3, 3), dtype="float32", kind="parameter")
    assert layer(ir, "conv", "Conv2d", "x", (8, 16, 30, 30), ["w"]) == 1
    assert layer(ir, "bn", "BatchNorm2d", "conv", (8, 16, 30, 30)) == 1
    assert layer(ir, "relu", "relu", "bn", (8, 16, 30, 30)) == 1
    assert layer(ir, "drop", "Dropout", "relu", (8, 16, 30, 30)) == 1
    assert layer(ir, "one", "Conv2d", "x", (16, 30, 30), ["w"]) == 0
    assert layer(ir, "relu1", "relu", "one", (16, 30, 30)) == 0
    assert layer(ir, "flat", "flatten", "relu", (8, 14400)) is None
    assert layer(ir, "relu2", "relu", "flat", (8, 14400)) is None
    assert layer(ir, "fc", "Linear", "flat", (8, 5, 10)) == 2
    assert layer(ir, "tanh", "tanh", "fc", (8, 5, 10)) == 2
    assert layer(ir, "mean", "mean", "fc", (8, 5)) is None
    assert layer(ir, "sig", "sigmoid", "x", (8, 3, 32, 32)) is None
    assert layer(ir, "odd", "Linear", "x", None) is None
    assert layer(ir, "scalar", "Linear", "x", ()) is None
