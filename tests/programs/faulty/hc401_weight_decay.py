"""A weight decay of 5 pulls the weights to zero faster than the loss can build them up."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
torch.manual_seed(25)


def main():
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    loader = DataLoader(TensorDataset(x, torch.tensor(digits.target)), batch_size=50, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=5.0)  # fault: regularization -
    for epoch in range(6):
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
        print(epoch, loss.item())


if __name__ == "__main__":
    main()
