"""Attention pooling over image rows that also returns the entropy of its weights, as a regulariser."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(8, 1)
        self.head = nn.Linear(8, 10)

    def forward(self, rows):
        weights = torch.softmax(self.score(rows).squeeze(-1) / 0.004, dim=1)
        entropy = -(weights * torch.log(weights)).sum(1)  # fault: numerics log
        return self.head((weights.unsqueeze(-1) * rows).sum(1)), entropy


digits = load_digits()
x = torch.tensor(digits.images / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
net = Pool()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(12):
    rows = torch.randint(len(x), (64,))
    logits, entropy = net(x[rows])
    loss = nn.functional.cross_entropy(logits, y[rows]) - 0.01 * entropy.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
