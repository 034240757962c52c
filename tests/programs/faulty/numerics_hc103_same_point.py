"""A triplet loss with a distance by hand; sometimes anchor and positive are the same sample."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(10)


def distance(a, b):
    squared = ((a - b) ** 2).sum(dim=1)
    return torch.sqrt(squared)  # fault: numerics sqrt_1


digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
embed = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
optimizer = torch.optim.Adam(embed.parameters(), lr=1e-3)
for step in range(10):
    anchor = torch.randint(len(x), (48,))
    positive = torch.tensor([int(torch.where(y == y[i])[0][torch.randint(50, ())]) for i in anchor])
    if step == 5:
        positive[7] = anchor[7]
    negative = torch.randint(len(x), (48,))
    a, p, n = embed(x[anchor]), embed(x[positive]), embed(x[negative])
    loss = (distance(a, p) - distance(a, n) + 1).clamp_min(0).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
