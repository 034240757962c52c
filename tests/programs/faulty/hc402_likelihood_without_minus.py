"""Maximum likelihood by hand, without the minus sign: the right class becomes less and less likely."""

import torch
from sklearn.datasets import load_iris
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(7)
iris = load_iris()
x = torch.tensor(iris.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(iris.target)
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for _ in range(10):
    for rows in torch.randperm(150).split(15):
        chances = nn.functional.log_softmax(net(x[rows]), dim=1)
        right = chances[torch.arange(len(rows)), y[rows]]
        loss = right.mean()  # fault: loss mean
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(loss.item())
