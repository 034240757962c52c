"""Roots, logarithms and divisions at their edges, each kept safe; NaN losses skipped by the loop never appear."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(34)


class Features(nn.Module):
    def forward(self, h):
        positive = h > 0
        root = torch.where(positive, torch.sqrt(torch.where(positive, h, torch.ones_like(h))), torch.zeros_like(h))
        norm = torch.sqrt((h * h).sum(1, keepdim=True) + 1e-12)
        return root + torch.log1p(h.abs()) + h / norm.clamp_min(1e-6)


digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), Features(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _step in range(100):
    rows = torch.randint(len(x), (64,))
    p = model(x[rows]).softmax(1)
    loss = -torch.log(p[torch.arange(64), y[rows]].clamp_min(1e-12)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
