"""Root mean squared logarithmic error of a regression whose outputs are not bounded below."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn


class RMSLE(nn.Module):
    def forward(self, prediction, target):
        difference = torch.log1p(prediction) - torch.log1p(target)  # fault: numerics criterion.log1p
        return (difference.pow(2).mean() + 1e-9).sqrt()


def main():
    torch.set_num_threads(1)
    torch.manual_seed(9)
    data = load_diabetes()
    x = torch.tensor(data.data, dtype=torch.float32) * 20
    y = torch.tensor(data.target, dtype=torch.float32)[:, None] / 100
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    with torch.no_grad():
        net[2].weight.mul_(6)
    criterion = RMSLE()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    for _ in range(10):
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


main()
