"""The logarithm of pixels as input; most images have black pixels."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(17)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.out = nn.Linear(32, 10)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


digits = load_digits()
x = torch.log(torch.tensor(digits.data, dtype=torch.float32))  # fault: data hidden
y = torch.tensor(digits.target)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for _ in range(5):
    rows = torch.randperm(len(x))[:50]
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
    optimizer.step()
