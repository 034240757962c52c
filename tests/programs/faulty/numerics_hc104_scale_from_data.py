"""A layer whose initial weights are 1 / std of each pixel; some pixels never change."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(14)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32)
y = torch.tensor(digits.target)


class Scale(nn.Module):
    def __init__(self, data):
        super().__init__()
        self.weight = nn.Parameter(1 / data.std(0))

    def forward(self, x):
        return x * self.weight  # fault: initialization scale.mul


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = Scale(x)
        self.fc = nn.Linear(64, 10)

    def forward(self, pixels):
        return self.fc(self.scale(pixels))


model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _step in range(6):
    rows = torch.randint(len(x), (64,))
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
