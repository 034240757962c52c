"""A table with missing values that the model itself fills in, with a flag for each."""

import torch
from sklearn.datasets import load_wine
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(33)


class Impute(nn.Module):
    def forward(self, x):
        missing = torch.isnan(x)
        return torch.cat([torch.where(missing, torch.zeros_like(x), x), missing.float()], 1)


wine = load_wine()
x = torch.tensor(wine.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
x[torch.rand(x.shape) < 0.1] = float("nan")
y = torch.tensor(wine.target)
model = nn.Sequential(Impute(), nn.Linear(26, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for _epoch in range(60):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
