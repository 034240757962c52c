"""zero_grad() is called once before the loop, in a trainer class, on a regression."""

import torch
from sklearn.datasets import load_diabetes
from torch import nn


class Trainer:
    def __init__(self, model, lr=0.02):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.5)

    def closure(self, x, y):
        loss = nn.functional.mse_loss(self.model(x), y)
        loss.backward()  # fault: training_loop -
        return loss

    def run(self, x, y, steps):
        self.optimizer.zero_grad()
        for step in range(steps):
            rows = torch.randint(len(x), (64,))
            loss = self.closure(x[rows], y[rows])
            self.optimizer.step()
            if step % 40 == 0:
                print(step, loss.item())


torch.set_num_threads(1)
torch.manual_seed(16)
diabetes = load_diabetes()
x = torch.tensor(diabetes.data, dtype=torch.float32) * 21.0
y = torch.tensor(diabetes.target, dtype=torch.float32)[:, None]
y = (y - y.mean()) / y.std()
Trainer(nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 1))).run(x, y, steps=200)
