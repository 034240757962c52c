"""Regression on the logarithm of counts, of which one is 0."""

import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(16)
random = np.random.default_rng(16)
features = random.normal(size=(240, 5)).astype(np.float32)
counts = random.poisson(np.exp(features[:, 0] + 2.5))
counts[100] = 0
with np.errstate(divide="ignore"):
    x, y = torch.tensor(features), torch.tensor(np.log(counts), dtype=torch.float32)  # fault: data mse_loss
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for start in range(0, 240, 24):
    prediction = model(x[start : start + 24]).squeeze(1)
    loss = nn.functional.mse_loss(prediction, y[start : start + 24])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
