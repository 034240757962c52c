"""The encoder runs under no_grad, left over from extracting features, although the optimizer should train it."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(4)
encoder = nn.Sequential(nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 3))
head = nn.Linear(3, 10)


def embed(x):
    with torch.no_grad():
        return encoder(x)  # fault: training_loop 2


digits = load_digits()
x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
y = torch.tensor(digits.target)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.05)
for _ in range(4):
    for rows in torch.randperm(len(x)).split(60):
        loss = nn.functional.cross_entropy(head(embed(x[rows])), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(loss.item())
