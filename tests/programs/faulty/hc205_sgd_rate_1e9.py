"""SGD with a learning rate of 1e-9: the weights do not move."""

import torch
from sklearn.datasets import load_iris
from torch import nn, optim

torch.set_num_threads(1)
torch.manual_seed(13)
iris = load_iris()
x = torch.tensor(iris.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(iris.target)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
opt = optim.SGD(net.parameters(), lr=1e-9, momentum=0.9)  # fault: learning_rate -
for step in range(200):
    rows = torch.randint(150, (32,))
    opt.zero_grad()
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    loss.backward()
    opt.step()
    if step % 40 == 0:
        print(step, loss.item())
