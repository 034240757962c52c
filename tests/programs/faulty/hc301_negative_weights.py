"""Weights drawn from (-1, 0) on inputs that are never negative: the first ReLU outputs only zeros."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(18)


def dense(inputs, outputs, low=-0.1, high=0.1):
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.uniform_(low, high)  # fault: initialization encoder
    return layer


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = dense(64, 48, low=-1.0, high=0.0)
        self.decoder = dense(48, 10)

    def forward(self, x):
        return self.decoder(F.relu(self.encoder(x)))


digits = load_digits()
x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(180):
    rows = torch.randint(len(x), (64,))
    loss = F.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, loss.item())
