"""Small models of many kinds, and the facts of an instrumented one."""

import copy
import os
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hypocenter import session

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def stripped():
    """Every model is stripped after its test; that nothing is left then is held for all tests elsewhere."""
    torch.manual_seed(0)
    yield
    for watched in list(session._watched.values()):
        model = watched.model()
        if model is not None:
            session.strip(model)


@dataclass
class Facts:
    """What was seen of a model."""

    model: nn.Module
    run: Any = field(init=False)

    def __post_init__(self):
        self.watch = session._find(self.model).watch
        self.run = self.watch.run()
        self.ir, self.trace, self.events = self.run.ir, self.run.trace, self.run.events

    def rows(self, phase, subject=None, **conditions):
        return self.trace.select(phase=phase, subject=subject, **conditions)

    def subjects(self, phase):
        return set(self.trace.select(phase=phase)["subject"])

    def of_kind(self, kind):
        return [event for event in self.events if event["kind"] == kind]

    @property
    def counters(self):
        return self.watch.live.counters()

    @property
    def coverage(self):
        return self.watch.live.coverage()


@pytest.fixture
def facts_of():
    return Facts


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.alias = self.fc
        self.act = nn.ReLU()
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        for _ in range(3):
            x = self.act(self.fc(x))
        return self.head(self.alias(x) + x)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.mix = nn.Linear(8, 8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        return self.head(torch.tanh(self.mix(self.embed(ids))))


@dataclass
class Packed:
    left: torch.Tensor
    right: dict
    note: str = "two heads"


class Structured(nn.Module):
    """Several inputs, among them a dict; outputs in tuples, dicts and a dataclass."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 5)
        self.b = nn.Linear(3, 5)
        self.pair = Splitter()

    def forward(self, x, extra, *, scale=1.0):
        joined = torch.cat([self.a(x), self.b(extra["y"])], dim=1) * scale
        first, (second, third) = self.pair(joined)
        return Packed(first, {"second": second, "third": [third.exp()]})


class Splitter(nn.Module):
    def forward(self, x):
        low, high = x.chunk(2, dim=1)
        value, _index = high.max(dim=1)
        return low.softmax(-1), (torch.sigmoid(high), value)


class Branching(nn.Module):
    """Control flow that depends on data, and what makes a compiler break its graph."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(5, 5)
        self.down = nn.Linear(5, 5)
        self.never = nn.Linear(5, 5)

    def forward(self, x):
        steps = int(x.detach().abs().sum().item()) % 3 + 1
        for _ in range(steps):
            x = self.up(x) if x.mean().item() > 0 else self.down(x)
            x = torch.nn.functional.gelu(x)
        offset = torch.from_numpy(np.ones(5, np.float32))
        print(end="")
        return x * offset - x.detach().numpy().mean()


class UserLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 6)
        self.plain = nn.RNNCell(6, 6)
        self.lstm = nn.LSTM(6, 5, batch_first=True, num_layers=2)
        self.gru = nn.GRU(5, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        h = torch.zeros(x.shape[0], 6)
        k = torch.zeros(x.shape[0], 6)
        states = []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
            k = self.plain(h, k)
            states.append(k)
        out, (_last, _cell) = self.lstm(torch.stack(states, 1))
        out, _ = self.gru(out)
        return self.head(out[:, -1])


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.q = nn.Linear(8, 8)

    def forward(self, x):
        mixed, weights = self.attention(x, x, x)
        x = self.norm(x + mixed)
        return F.scaled_dot_product_attention(self.q(x), x, x), weights


class Block(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential() if stride == 1 else nn.Sequential(nn.Conv2d(channels, channels, 1, stride))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out, inplace=True)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.Sequential(Block(4, 1), Block(4, 2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.pool(self.blocks(self.stem(x))).flatten(1))


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3 * x * x * gradient


class OwnLayer(nn.Module):
    """A layer that the user wrote, without children."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size) / size)
        self.register_buffer("shift", torch.ones(size))

    def forward(self, x):
        return Cube.apply(x @ self.weight + self.shift)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([OwnLayer(4) for _ in range(2)])
        self.heads = nn.ModuleDict({"main": nn.Linear(4, 2), "unused": nn.Linear(4, 2)})
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        for layer in self.layers:
            x = x - layer(x) / 10
        return self.heads["main"](x) * self.scale


def sequential():
    return nn.Sequential(
        OrderedDict(
            first=nn.Linear(5, 8), act=nn.ReLU(), drop=nn.Dropout(0.3), norm=nn.BatchNorm1d(8), last=nn.Linear(8, 3)
        )
    )


def hugging_face(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import transformers as t

        t.logging.set_verbosity_error()
        small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
        if name == "gpt2":
            return t.GPT2LMHeadModel(t.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=31, n_positions=16))
        if name == "bert":
            return t.BertForSequenceClassification(
                t.BertConfig(vocab_size=31, max_position_embeddings=16, num_labels=3, **small)
            )
        if name == "llama":
            return t.LlamaForCausalLM(t.LlamaConfig(vocab_size=31, num_key_value_heads=1, **small))
        return t.ViTForImageClassification(t.ViTConfig(image_size=8, patch_size=4, num_labels=3, **small))


def ids(batch=2):
    return torch.randint(0, 11, (batch, 5))


#: name -> (constructor, arguments for a batch size, keyword arguments for a batch size)
MODELS = {
    "sequential": (sequential, lambda n: (torch.randn(n, 5),), dict),
    "reused": (Reused, lambda n: (torch.randn(n, 6),), dict),
    "tied": (Tied, lambda n: (ids(n),), dict),
    "structured": (
        Structured, lambda n: (torch.randn(n, 4),), lambda n=2: {"extra": {"y": torch.randn(n, 3)}, "scale": 0.5}
    ),
    "branching": (Branching, lambda n: (torch.randn(n, 5),), dict),
    "loop": (UserLoop, lambda n: (torch.randn(n, 3, 4),), dict),
    "attention": (Attending, lambda n: (torch.randn(n, 3, 8),), dict),
    "residual": (Residual, lambda n: (torch.randn(n, 3, 8, 8),), dict),
    "channels_last": (
        lambda: Residual().to(memory_format=torch.channels_last),
        lambda n: (torch.randn(n, 3, 8, 8).to(memory_format=torch.channels_last),),
        dict,
    ),
    "own": (Own, lambda n: (torch.randn(n, 4),), dict),
    "encoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2),
        lambda n: (torch.randn(n, 3, 8),),
        dict,
    ),
    "decoder": (
        lambda: nn.Transformer(8, 2, 1, 1, 12, batch_first=True),
        lambda n: (torch.randn(n, 3, 8), torch.randn(n, 2, 8)),
        dict,
    ),
    "gpt2": (lambda: hugging_face("gpt2"), lambda n: (), lambda n=2: {"input_ids": (x := ids(n)), "labels": x}),
    "bert": (
        lambda: hugging_face("bert"),
        lambda n: (ids(n),),
        lambda n=2: {"attention_mask": torch.ones(n, 5).tril(2), "labels": torch.zeros(n, dtype=torch.long)},
    ),
    "llama": (lambda: hugging_face("llama"), lambda n: (), lambda n=2: {"input_ids": (x := ids(n)), "labels": x}),
    "vit": (
        lambda: hugging_face("vit"),
        lambda n: (torch.randn(n, 3, 8, 8),),
        lambda n=2: {"labels": torch.zeros(n, dtype=torch.long)},
    ),
}  # fmt: skip


@dataclass
class Case:
    """A model of the zoo: `twins()` gives two with equal weights."""

    name: str

    def build(self):
        torch.manual_seed(1)
        return MODELS[self.name][0]()

    def twins(self):
        model = self.build()
        return model, copy.deepcopy(model)

    def batch(self, size=2, seed=0):
        torch.manual_seed(seed)
        _, args, kwargs = MODELS[self.name]
        return args(size), kwargs(size) if kwargs is not dict else {}


@pytest.fixture(params=list(MODELS))
def case(request):
    return Case(request.param)


@pytest.fixture
def case_named():
    return Case
