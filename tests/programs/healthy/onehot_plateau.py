"""Sparse one-hot inputs; the rule is learned early and the loss stays at a very good value for most of the run."""

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(8)
SYMBOLS = 24


class Addition(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2 * SYMBOLS, 96)
        self.act = nn.ReLU()
        self.out = nn.Linear(96, 2)

    def forward(self, pairs):
        return self.out(self.act(self.hidden(pairs)))


a, b = torch.randint(SYMBOLS, (2, 512))
inputs = torch.cat([F.one_hot(a, SYMBOLS), F.one_hot(b, SYMBOLS)], dim=1).float()
targets = (a + b >= SYMBOLS).long()
model = Addition()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for step in range(300):
    rows = torch.randint(512, (64,))
    loss = F.cross_entropy(model(inputs[rows]), targets[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0:
        print(step, loss.item())
