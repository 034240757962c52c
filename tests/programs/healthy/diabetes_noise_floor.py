"""Regression on data that is mostly noise: the loss soon stands still at the noise, far above zero."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes

torch.set_num_threads(1)
torch.manual_seed(10)
data = load_diabetes()
x = torch.tensor(data.data, dtype=torch.float32) * 21.0
y = torch.tensor(data.target, dtype=torch.float32)
y = (y - y.mean()) / y.std()


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(10))
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def forward(self, rows):
        return rows @ self.weight + self.bias


model = Linear()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(300):
    rows = torch.randint(len(x), (32,))
    loss = F.mse_loss(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0:
        print(step, loss.item())
