"""Weights drawn with a standard deviation of 10 saturate every tanh unit of a deep network."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(21)


def build():
    model = nn.Sequential(
        nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)
    )
    for layer in model[:-1:2]:
        torch.nn.init.normal_(layer.weight, mean=0.0, std=10.0)  # fault: initialization 0
    return model


model = build()
digits = load_digits()
x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(6):
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
