"""Tagging with ignored positions; one batch consists of nothing else."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(8)
IGNORE = -1
model = nn.Sequential(nn.Embedding(30, 12), nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(14):
    tokens = torch.randint(0, 30, (6, 7))
    tags = tokens % 5
    tags[torch.rand(tags.shape) < 0.3] = IGNORE
    if step == 8:
        tags[:] = IGNORE
    logits = model(tokens).flatten(0, 1)
    loss = nn.functional.cross_entropy(logits, tags.flatten(), ignore_index=IGNORE)  # fault: labels cross_entropy
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
