"""The graph of a model from one call: right, printable, saveable, and without a trace on the model."""

import copy
import random
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hypocenter import session
from hypocenter.errors import BadInputError
from hypocenter.ir.graph import IR

SOURCE = Path(__file__).read_text().splitlines()


def marked(tag):
    """The number of the line that ends in a tag, and its code."""
    (number,) = [i for i, line in enumerate(SOURCE, 1) if line.endswith(f"# {tag}")]
    return number


class Residual(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.fc = nn.Linear(size, size)  # def fc
        self.norm = nn.LayerNorm(size)  # def norm

    def forward(self, x):
        y = F.gelu(self.fc(x))  # call fc
        return self.norm(x + y)  # call norm


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)  # def embed
        self.blocks = nn.ModuleList([Residual(8) for _ in range(2)])  # def blocks
        self.tail = nn.Sequential(
            OrderedDict(
                drop=nn.Dropout(0.5),  # def drop
                bn=nn.BatchNorm1d(8),  # def bn
            )
        )
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("table", torch.ones(8))
        self.head = nn.Linear(8, 11, bias=False)  # def head
        self.head.weight = self.embed.weight

    def forward(self, ids, mask=None):
        self.calls += 1
        self.table = self.table * 0.5
        x = self.embed(ids)  # call embed
        for block in self.blocks:
            x = block(x)
        if mask is not None:
            x = x.masked_fill(mask[..., None], float("-inf"))
            x = torch.where(x.isinf(), 0.0, x)
        noise = torch.rand(()) + np.random.rand() + random.random()  # noqa: NPY002 - the legacy state is under test
        pooled = self.tail(x.mean(dim=1) + 0 * noise)  # call mean
        return {"logits": self.head(pooled), "pooled": pooled}  # call head


def ids(batch=3):
    return torch.arange(batch * 5).reshape(batch, 5) % 11


def test_nodes_scopes_shapes_and_attributes():
    model = Model()
    ir = session.lower(model, ids())
    ir.verify()
    names = [node.name for node in ir.nodes]
    assert [n for n in names if "blocks.0" in n] == ["blocks.0.fc", "blocks.0.gelu", "blocks.0.add", "blocks.0.norm"]
    fc = ir.node("blocks.1.fc")
    assert (fc.scope, fc.module, fc.kind, fc.parameters) == (
        "blocks.1", "blocks.1.fc", "layer", ("blocks.1.fc.weight", "blocks.1.fc.bias"),
    )  # fmt: skip
    assert fc.attributes["in_features"] == 8
    assert ir.value("blocks.1.fc").shape == (3, 5, 8)
    assert ir.value("blocks.1.fc").dtype == "float32"
    assert ir.node("mean").attributes["dim"] == 1
    assert ir.node("tail.bn").attributes["eps"] == 1e-5
    assert ir.node("blocks.1.fc").inputs == ("blocks.0.norm",)
    assert set(ir.node("blocks.1.add").inputs) == {"blocks.0.norm", "blocks.1.gelu"}
    assert ir.outputs == ("head", "tail.bn")
    (given,) = [info for info in ir.inputs if info.kind == "input"]
    assert (given.name, given.shape, given.dtype) == ("ids", (3, 5), "int64")
    assert ir.node("head").parameters == ("embed.weight",)  # tied: one parameter


def test_definition_and_call_sites():
    ir = session.lower(Model(), ids())
    for name, definition, call in (
        ("embed", "def embed", "call embed"),
        ("blocks.0.fc", "def fc", "call fc"),
        ("blocks.1.norm", "def norm", "call norm"),
        ("tail.drop", "def drop", None),
        ("tail.bn", "def bn", None),
        ("head", "def head", "call head"),
    ):
        node = ir.node(name)
        assert node.definition.file == __file__
        assert node.definition.line == marked(definition), name
        if call is not None:
            assert node.call.line == node.user.line == marked(call), name
            assert node.call.file == __file__
    gelu = ir.node("blocks.0.gelu")
    assert gelu.definition is None
    assert gelu.user.line == marked("call fc")
    text = SOURCE[gelu.user.line - 1][gelu.user.column - 1 : gelu.user.end_column - 1]
    assert text == "F.gelu(self.fc(x))"
    inner = ir.node("blocks.0.fc").call
    assert SOURCE[inner.line - 1][inner.column - 1 : inner.end_column - 1] == "self.fc(x)"
    defined = ir.node("embed").definition
    assert SOURCE[defined.line - 1][defined.column - 1 : defined.end_column - 1] == "nn.Embedding(11, 8)"


def test_a_model_called_several_times_has_one_definition():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)  # def twice

        def forward(self, x):
            x = self.fc(x)  # first
            return self.fc(x)  # second

    ir = session.lower(Twice(), torch.randn(2, 4))
    first, second = ir.node("fc"), ir.node("fc#2")
    assert first.definition == second.definition
    assert first.definition.line == marked("def twice")
    assert (first.call.line, second.call.line) == (marked("first"), marked("second"))
    assert second.inputs == ("fc",)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_and_the_random_states_are_as_before(training):
    model = Model().train(training)
    model(ids())
    before, buffers = copy.deepcopy(model.state_dict()), dict(model.named_buffers())
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002 - as above
    slots = {path: list(vars(module)) for path, module in model.named_modules()}
    session.lower(model, ids())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(buffer is buffers[name] for name, buffer in model.named_buffers())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(module.training is training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002 - as above
    assert {path: list(vars(module)) for path, module in model.named_modules()} == slots
    assert torch._C._len_torch_function_stack() == 0


def test_saved_checked_loaded_and_printed(tmp_path):
    for training in (True, False):
        ir = session.lower(Model().train(training), {"ids": ids(), "mask": ids() == 4})
        assert_storable(ir, tmp_path / f"{training}.onnx")
        assert {info.name for info in ir.inputs if info.kind == "input"} == {"ids", "mask"}


def assert_storable(ir, path):
    ir.verify()
    ir.save(path)
    onnx.checker.check_model(onnx.load(path))
    loaded = IR.load(path)
    assert loaded == ir
    text = str(ir)
    assert text == str(loaded)
    for node in ir.nodes:
        assert node.name in text
        assert all(value in text for value in node.outputs)


def hugging_face(name):
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    t = transformers
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    if name == "gpt2":
        return t.GPT2LMHeadModel(t.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=31, n_positions=16))
    if name == "bert":
        return t.BertModel(t.BertConfig(vocab_size=31, max_position_embeddings=16, **small))
    if name == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(vocab_size=31, num_key_value_heads=1, **small))
    return t.ViTModel(t.ViTConfig(image_size=8, patch_size=4, **small))


@pytest.mark.parametrize(
    ("name", "inputs", "layer", "kind"),
    [
        ("gpt2", {"input_ids": ids(2)}, "transformer.h.1.mlp.c_fc", "Conv1D"),
        ("bert", {"input_ids": ids(2)}, "encoder.layer.1.intermediate.dense", "Linear"),
        ("llama", {"input_ids": ids(2)}, "model.layers.0.mlp.gate_proj", "Linear"),
        ("vit", {"pixel_values": torch.zeros(2, 3, 8, 8)}, None, None),
    ],
)
def test_models_of_transformers(name, inputs, layer, kind, tmp_path):
    model = hugging_face(name)  # def transformers
    ir = session.lower(model, inputs)
    assert_storable(ir, tmp_path / "model.onnx")
    called = {node.module for node in ir.nodes if node.module is not None}
    linears = {path for path, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert linears <= called
    if layer is not None:
        node = ir.node(layer)
        assert node.parameters
        assert type(model.get_submodule(layer)).__name__ == kind
        assert node.call.library
    inside = [node for node in ir.nodes if node.module is not None]
    assert all(node.user is not None and node.user.file == __file__ for node in inside)
    assert any(node.kind == "attention" or node.kind == "matmul" for node in ir.nodes if node.module is None)


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (nn.LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3)),
        (nn.MultiheadAttention(4, 2), (torch.randn(3, 2, 4), torch.randn(3, 2, 4), torch.randn(3, 2, 4))),
        (nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1), torch.randn(3, 2, 4)),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True)), torch.randn(2, 1, 5, 5)),
        (nn.Sequential(nn.LazyLinear(3), nn.Softmax(-1)), torch.randn(2, 4)),
        (nn.Linear(3, 3).double(), torch.randn(2, 3, dtype=torch.float64)),
        (nn.Linear(3, 3).bfloat16(), torch.randn(2, 3, dtype=torch.bfloat16)),
        (nn.Sequential(nn.Linear(3, 3), nn.ReLU()), torch.empty(0, 3)),
        (nn.Identity(), torch.randn(2)),
        (nn.Linear(3, 3), torch.eye(3).to_sparse()),
        (nn.Bilinear(2, 3, 4), (torch.randn(5, 2), torch.randn(5, 3))),
        (nn.EmbeddingBag(5, 3), (torch.tensor([1, 2, 3]), torch.tensor([0, 2]))),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers_of_many_kinds(model, inputs, tmp_path):
    ir = session.lower(model, inputs)
    assert len(ir.nodes) >= 1
    assert_storable(ir, tmp_path / "model.onnx")


def test_an_evaluation_without_gradients_is_lowered_in_full():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1, enable_nested_tensor=False).eval()
    with torch.no_grad():
        ir = session.lower(encoder, torch.randn(3, 2, 4))
    assert "layers.0.linear1" in ir


def test_bad_input_is_a_sentence():
    with pytest.raises(BadInputError, match="example inputs with RuntimeError"):
        session.lower(nn.Linear(3, 3), torch.randn(2, 4))
    assert torch._C._len_torch_function_stack() == 0
    with pytest.raises(BadInputError, match=r"not a torch\.nn\.Module"):
        session.lower(lambda x: x, torch.randn(2))


def test_lowering_twice_gives_equal_graphs():
    model = Model()
    assert session.lower(model, ids()) == session.lower(model, ids())
    one, other = session.lower(model, ids()), session.lower(model, ids(4))
    assert [node.name for node in one.nodes] == [node.name for node in other.nodes]
    assert one != other
