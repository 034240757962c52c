"""A default of 1e-8 in the options: Adam moves nothing visibly."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning-rate", type=float, default=1e-8)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=6)
    return parser.parse_args()


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))

    def forward(self, x):
        return self.layers(x)


def main(args):
    torch.set_num_threads(1)
    torch.manual_seed(14)
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)  # fault: learning_rate -
    for epoch in range(args.epochs):
        for rows in torch.randperm(len(x)).split(args.batch_size):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    main(options())
