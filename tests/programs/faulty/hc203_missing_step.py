"""A trainer class that forgets optimizer.step()."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.loss_function = nn.BCEWithLogitsLoss()

    def train_batch(self, inputs, targets):
        self.optimizer.zero_grad()
        loss = self.loss_function(self.model(inputs).squeeze(-1), targets)
        loss.backward()  # fault: training_loop -
        return loss.item()

    def train(self, x, y, epochs):
        for epoch in range(epochs):
            losses = [self.train_batch(x[rows], y[rows]) for rows in torch.randperm(len(x)).split(32)]
            print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(8)
    cancer = load_breast_cancer()
    x = torch.tensor(cancer.data, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = torch.tensor(cancer.target, dtype=torch.float32)
    model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 1))
    Trainer(model, lr=1e-3).train(x, y, epochs=5)
