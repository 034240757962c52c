"""Weights drawn with standard deviation 6 in a deep regression net."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(20)


class Net(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.first = nn.Linear(10, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 1)
        nn.init.normal_(self.second.weight, std=60.0)  # fault: initialization second

    def forward(self, x):
        return self.last(torch.relu(self.second(torch.relu(self.first(x)))))


data = load_diabetes()
x = torch.tensor(data.data, dtype=torch.float32) * 20
y = torch.tensor(data.target, dtype=torch.float32)[:, None]
y = (y - y.mean()) / y.std()
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for _step in range(25):
    loss = ((net(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
