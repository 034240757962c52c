"""Gradient accumulation over four micro-batches, dropout 0.5, binary loss from logits, options from argparse."""

import argparse

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--accumulate", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=6)
    return parser.parse_args()


def build():
    return nn.Sequential(
        nn.Linear(30, 64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(32, 1),
    )


def main():
    options = parse()
    torch.set_num_threads(1)
    torch.manual_seed(6)
    cancer = load_breast_cancer()
    x = torch.tensor(StandardScaler().fit_transform(cancer.data), dtype=torch.float32)
    y = torch.tensor(cancer.target, dtype=torch.float32).unsqueeze(1)
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
    model, loss_fn = build(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=options.lr, momentum=0.9)
    for epoch in range(options.epochs):
        total = 0.0
        for index, (inputs, targets) in enumerate(loader):
            loss = loss_fn(model(inputs), targets) / options.accumulate
            loss.backward()
            total += loss.item() * options.accumulate
            if (index + 1) % options.accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
        print(epoch, total / len(loader))


if __name__ == "__main__":
    main()
