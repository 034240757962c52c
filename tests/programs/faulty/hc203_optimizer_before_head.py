"""Fine-tuning where the head is replaced after the optimizer was made: the new head is never updated."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(7)


class Backbone(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(1, 12, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(12 * 16, classes)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv(x)))
        return self.fc(x.flatten(1))


def prepare():
    model = Backbone(classes=100)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)  # fault: optimizer fc
    model.fc = nn.Linear(12 * 16, 10)
    return model, optimizer


model, optimizer = prepare()
digits = load_digits()
x = torch.tensor(digits.images[:, None] / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target)
for epoch in range(5):
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
