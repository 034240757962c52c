"""A small learning rate that still learns: full-batch Adam at 3e-4 on standardised iris."""

import torch
from sklearn.datasets import load_iris
from torch import nn, optim

torch.set_num_threads(1)
torch.manual_seed(7)
iris = load_iris()
features = torch.tensor(iris.data, dtype=torch.float32)
features = (features - features.mean(0)) / features.std(0)
labels = torch.tensor(iris.target)

net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
opt = optim.Adam(net.parameters(), lr=3e-4)
for step in range(400):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(net(features), labels)
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
