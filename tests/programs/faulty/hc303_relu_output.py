"""A ReLU after the last layer of a regression on temperatures below zero: the output is always 0."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(22)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.ReLU())
        self.out = nn.Linear(32, 1)
        self.final = nn.ReLU()  # fault: activation final

    def forward(self, x):
        return self.final(self.out(self.body(x))).squeeze(-1)


data = load_diabetes()
x = torch.tensor(data.data, dtype=torch.float32) * 21.0
y = -torch.tensor(data.target, dtype=torch.float32) / 100.0
model = Regressor()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(200):
    rows = torch.randint(len(x), (32,))
    loss = nn.functional.mse_loss(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, loss.item())
