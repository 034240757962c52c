"""The squared error summed over a batch of 400 samples."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(21)
data = load_diabetes()
x = torch.tensor(data.data[:400], dtype=torch.float32) * 20
y = torch.tensor(data.target[:400], dtype=torch.float32)[:, None]
y = (y - y.mean()) / y.std()
net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
criterion = nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for _step in range(30):
    loss = criterion(net(x), y)  # fault: loss *
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
