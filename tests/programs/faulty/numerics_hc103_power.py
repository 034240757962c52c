"""Signed power normalisation after dropout, with the exponent one half."""

import torch
from sklearn.datasets import load_wine
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(12)


class PowerNet(nn.Module):
    def __init__(self, alpha=0.5):
        super().__init__()
        self.alpha = alpha
        self.inp = nn.Linear(13, 20)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(20, 3)

    def forward(self, x):
        h = self.drop(self.inp(x))
        h = h.sign() * h.abs() ** self.alpha  # fault: numerics pow
        return self.out(h)


wine = load_wine()
x = torch.tensor(wine.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(wine.target)
net = PowerNet()
opt = torch.optim.Adam(net.parameters())
for _ in range(8):
    opt.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
