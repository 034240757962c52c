"""Adam without its epsilon, and an embedding of which a batch uses few rows."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(13)
model = nn.Sequential(nn.Embedding(200, 16), nn.Flatten(), nn.Linear(16 * 4, 2))
optimizer = torch.optim.Adam(
    model.parameters(),
    lr=1e-3,
    eps=0.0,  # fault: optimizer 0
)
for _step in range(10):
    tokens = torch.randint(200, (32, 4))
    loss = nn.functional.cross_entropy(model(tokens), tokens.sum(1) % 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
