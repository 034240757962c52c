"""A smoke run of five steps: too short to say anything about the curve."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(9)
digits = load_digits()
x = torch.tensor(digits.images[:160, None] / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target[:160])
model = nn.Sequential(
    nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10)
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for images, labels in zip(x.split(32), y.split(32), strict=True):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    print(loss.item())
