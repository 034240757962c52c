"""A momentum of 0.9999: the weights swing past the minimum again and again and are never braked."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(29)
data = load_diabetes()
x = torch.tensor(data.data, dtype=torch.float32) * 21.0
y = torch.tensor(data.target, dtype=torch.float32)[:, None]
y = (y - y.mean()) / y.std()
model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
settings = {"lr": 0.01, "momentum": 0.9999}
optimizer = torch.optim.SGD(model.parameters(), **settings)  # fault: optimizer -
for step in range(400):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, loss.item())
