"""A learning rate at which mini-batch training of a classifier jumps to and fro and never settles."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn


def fit(model, x, y, *, lr, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)  # fault: learning_rate -
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]).flatten(), y[rows])
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


torch.set_num_threads(1)
torch.manual_seed(30)
diabetes = load_diabetes()
x = torch.tensor(diabetes.data, dtype=torch.float32) * 21.0
y = torch.tensor(diabetes.target > 140.0, dtype=torch.float32)
fit(nn.Linear(10, 1), x, y, lr=30.0, epochs=16)
