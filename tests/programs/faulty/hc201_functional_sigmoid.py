"""The same mistake in functional style, in a class with a loop over its layers."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(30, 24)
        self.hidden = nn.ModuleList([nn.Linear(24, 24) for _ in range(9)])
        self.last = nn.Linear(24, 1)

    def forward(self, x):
        x = self.first(x)
        for layer in self.hidden:
            x = layer(torch.sigmoid(x))  # fault: activation sigmoid*
        return self.last(x).squeeze(1)


def main():
    cancer = load_breast_cancer()
    x = torch.tensor(StandardScaler().fit_transform(cancer.data), dtype=torch.float32)
    y = torch.tensor(cancer.target, dtype=torch.float32)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(250):
        rows = torch.randint(len(x), (48,))
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(step, loss.item())


if __name__ == "__main__":
    main()
