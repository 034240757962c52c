"""A deep regression with plain gradient descent and a learning rate of 50."""

import argparse

import torch
from sklearn.datasets import load_diabetes
from torch import nn


def build(width):
    layers = [nn.Linear(10, width), nn.ReLU()]
    for _ in range(3):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(18)
    data = load_diabetes()
    x = torch.tensor(data.data, dtype=torch.float32) * 20
    y = torch.tensor(data.target, dtype=torch.float32)[:, None] / 100
    model = build(32)
    optimizer = torch.optim.SGD(model.parameters(), lr=50.0)  # fault: learning_rate *
    for _ in range(options.steps):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
