"""Weights drawn with a standard deviation of 0.5 in eight layers of 64: everything grows threefold per layer."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(3)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(64, 64) for _ in range(8))
        self.output = nn.Linear(64, 10)
        self.apply(self.initialise)

    @staticmethod
    def initialise(module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5)  # fault: initialization hidden.*
            nn.init.zeros_(module.bias)

    def forward(self, x):
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.output(x)


def train(model, x, y, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(steps):
        rows = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, loss.item())


digits = load_digits()
train(Deep(), torch.tensor(digits.data / 16.0, dtype=torch.float32), torch.tensor(digits.target), steps=200)
