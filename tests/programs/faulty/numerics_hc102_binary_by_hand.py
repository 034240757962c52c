"""Binary cross-entropy written by hand on a sharpened sigmoid."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(6)
cancer = load_breast_cancer()
x = torch.tensor(cancer.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(cancer.target, dtype=torch.float32).unsqueeze(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, x):
        return torch.sigmoid(20 * self.body(x))


def loss_function(p, y):
    negative = (1 - y) * torch.log(1 - p)  # fault: numerics log
    return -(y * torch.log(p + 1e-9) + negative).mean()


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _epoch in range(40):
    p = net(x)
    loss = loss_function(p, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
