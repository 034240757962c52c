"""`hypocenter run` with everything behind it: what the script prints, also when it fails inside a watched model."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys, torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 16)
        self.out = nn.Sequential(nn.Linear(16, 3), nn.ReLU())

    def forward(self, x):
        return self.out(torch.relu(self.fc(x)))

def train(batch, width):
    for step in range(3):
        optimizer.zero_grad()
        output = net(torch.randn(64, width))
        loss = nn.functional.cross_entropy(output, torch.randint(0, 3, (batch,)))
        loss.backward()
        optimizer.step()
        print(step, loss.item())

torch.manual_seed(0)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
train(*map(int, sys.argv[1:]))
"""


@pytest.mark.parametrize("args", [("64", "8"), ("63", "8"), ("64", "7")], ids=["trains", "bad loss", "bad layer"])
def test_output_and_traceback_are_the_script_s_own(tmp_path, args):
    (tmp_path / "train.py").write_text(SCRIPT)

    def run(*start):
        line = [sys.executable, *start, "train.py", *args]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=200
        )

    plain, watched = run(), run("-m", "hypocenter", "run")
    assert watched.stdout == plain.stdout
    own, _, report = watched.stderr.partition("── hypocenter")
    assert own == plain.stderr
    assert "train.py" in report
    assert watched.returncode in ((0, 2) if plain.returncode == 0 else (2,))
