"""A table with values up to four thousand, passed on as it is."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(19)
table, label = load_breast_cancer(return_X_y=True)
x = torch.tensor(table, dtype=torch.float32)
y = torch.tensor(label, dtype=torch.float32)[:, None]
net = nn.Sequential(
    nn.Linear(30, 24),
    nn.ReLU(),
    nn.Linear(24, 24),
    nn.ReLU(),
    nn.Linear(24, 1),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
criterion = nn.MSELoss()
for _epoch in range(30):
    optimizer.zero_grad()
    loss = criterion(net(x), y)  # fault: normalization *
    loss.backward()
    optimizer.step()
