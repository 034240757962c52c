"""A residual network under bfloat16 autocast with evaluation after each epoch; fine-tunes an already good model."""

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(11)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x):
        return x + self.fc2(torch.nn.functional.silu(self.fc1(self.norm(x))))


def build():
    return nn.Sequential(nn.Linear(30, 32), *(Block(32) for _ in range(4)), nn.LayerNorm(32), nn.Linear(32, 2))


def run_epoch(model, x, y, optimizer):
    model.train()
    for rows in torch.randperm(len(x)).split(32):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(model(x[rows]).float(), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


data = load_breast_cancer()
x = torch.tensor(data.data, dtype=torch.float32)
x = (x - x.mean(0)) / x.std(0)
y = torch.tensor(data.target)
model = build()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(8):
    run_epoch(model, x[:450], y[:450], optimizer)
    print(epoch, evaluate(model, x[450:], y[450:]))
