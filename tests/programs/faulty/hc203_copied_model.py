"""The optimizer is given the first model, the loop trains a copy of it."""

import copy

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(5)
first = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(first.parameters(), lr=1e-2)  # fault: optimizer -
model = copy.deepcopy(first)
x = torch.randn(512, 6)
y = (x[:, :1] - x[:, 1:2]).abs()
for _ in range(8):
    for rows in torch.randperm(512).split(32):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
print(loss.item())
