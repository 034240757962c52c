"""A table with a few missing values that nobody filled in."""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
torch.manual_seed(15)


def read_table():
    table, label = load_breast_cancer(return_X_y=True)
    random = np.random.default_rng(0)
    table[random.integers(0, len(table), 3), random.integers(0, 30, 3)] = np.nan
    table = (table - np.nanmean(table, 0)) / np.nanstd(table, 0)
    return torch.tensor(table, dtype=torch.float32), torch.tensor(label)  # fault: data 0


model = nn.Sequential(
    nn.Linear(30, 16),
    nn.ReLU(),
    nn.Linear(16, 2),
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for inputs, labels in DataLoader(TensorDataset(*read_table()), batch_size=64, shuffle=True):
    loss = nn.functional.cross_entropy(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
