"""A report on a small real file, with every part filled in."""

import pytest

from hypocenter.diagnose.finding import Edit, Finding, Fix
from hypocenter.ir.site import Site
from hypocenter.report.model import Coverage, Overhead, Program, Report, Unprobed

SOURCE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
\tself.fc2 = nn.Linear(32, 10)
        nn.init.constant_(self.fc1.bias, -5.0)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


net = Net()
optimizer = torch.optim.SGD(
    net.parameters(),
    lr=10.0,
)
# größe = "日本", and a last line
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The folder of train.py, which is the working directory."""
    (tmp_path / "train.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path


@pytest.fixture
def findings(program):
    file = str(program / "train.py")
    dead = Finding(
        rule="HC301", name="dead-units", severity="error", fault="initialization", confidence=0.95, layer="fc1",
        op="Linear", phase="forward", step=3,
        location=Site(file, 10, column=9, end_column=47, snippet="        nn.init.constant_(self.fc1.bias, -5.0)"),
        message="60 of 64 units of 'fc1' are 0 for every sample since step 3, so that they cannot learn any more.",
        evidence={
            "dead_units": 60, "units": 64, "share": 0.9375, "gradient": float("nan"), "ratio": 1.23456e-9,
            "layers": [f"l{i}" for i in range(9)],
            "also": [{"rule": "HC401", "layer": None, "message": "the loss stays at 2.3"}],
        },
        fix=Fix("Start the bias at 0.", Edit(file, 10, "-5.0", "0.0")),
        related=(
            Site(file, 13, column=36, end_column=47, role="call",
                 snippet="        return self.fc2(torch.relu(self.fc1(x)))"),
        ),
    )  # fmt: skip
    rate = Finding(
        rule="HC204", name="update-too-large", severity="warning", fault="learning_rate", confidence=0.7, layer=None,
        phase="update", step=0,
        location=Site(file, 17, end_line=20, column=13, end_column=2, role="optimizer"),
        message="Each step changes the weights by 150 % of their size.",
        fix=Fix("Lower the learning rate.", Edit(file, 19, "10.0", "0.1")),
    )  # fmt: skip
    note = Finding(
        rule="HC902", name="not-covered", severity="note", fault="unknown", confidence=1.0, layer="fc2", op="Linear",
        phase="static", location=Site(file, 8, end_line=9), message="One of these lines made 'fc2'.",
    )  # fmt: skip
    return dead, rate, note


@pytest.fixture
def report(program, findings):
    return Report(
        Program(str(program / "train.py"), ("torch",), "raised", "ValueError: bad batch", 200),
        findings,
        Coverage(12, 11, (Unprobed("head", "its output is not a tensor"),)),
        Overhead(0.8, 10.2, 5.0),
        str(program / ".hypocenter" / "run1"),
    )


@pytest.fixture
def healthy(program):
    return Report(Program("train.py", ("torch",), "completed", None, 200), (), Coverage(12, 12), Overhead(0.8, 10.2))
