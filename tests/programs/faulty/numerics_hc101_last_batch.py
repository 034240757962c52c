"""A net that standardises its features over the batch by hand; the last batch has one sample."""

import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
torch.manual_seed(2)


class Standardise(nn.Module):
    def forward(self, x):
        mean = x.mean(dim=0)
        spread = x.std(dim=0)  # fault: numerics 1.std
        return (x - mean) / (spread + 1e-5)


wine = load_wine()
features = torch.tensor(wine.data, dtype=torch.float32)
features = (features - features.mean(0)) / features.std(0)
data = TensorDataset(features[:177], torch.tensor(wine.target)[:177])
model = nn.Sequential(nn.Linear(13, 16), Standardise(), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
for _epoch in range(2):
    for inputs, targets in DataLoader(data, batch_size=16, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
