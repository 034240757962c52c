"""Contrastive learning with a temperature so low that exp overflows."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(4)
TEMPERATURE = 0.005


class Contrast(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16))

    def forward(self, first, second):
        a, b = F.normalize(self.encoder(first), dim=1), F.normalize(self.encoder(second), dim=1)
        weights = torch.exp(a @ b.T / TEMPERATURE)  # fault: numerics exp
        return weights / weights.sum(dim=1, keepdim=True)


x = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
model = Contrast()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(10):
    batch = x[torch.randint(len(x), (32,))]
    share = model(batch + 0.1 * torch.randn_like(batch), batch + 0.1 * torch.randn_like(batch))
    loss = -torch.log(share.diagonal() + 1e-8).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    print(f"step {step}: {loss.item():.3f}")
