"""Weights drawn with a standard deviation of 0.01: signal and gradient shrink tenfold in every layer."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(2)


class TanhNet(nn.Module):
    def __init__(self, width=64, depth=6):
        super().__init__()
        self.layers = nn.ModuleList()
        for index in range(depth):
            layer = nn.Linear(64 if index == 0 else width, width)
            nn.init.normal_(layer.weight, std=0.01)  # fault: initialization layers.*
            nn.init.zeros_(layer.bias)
            self.layers.append(layer)
        self.out = nn.Linear(width, 10)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.out(x)


digits = load_digits()
x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target)
model = TanhNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(6):
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
