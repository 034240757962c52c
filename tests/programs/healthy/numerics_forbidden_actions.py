"""A policy whose forbidden actions have the logit -inf, in training and in evaluation."""

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(31)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 4))

    def forward(self, state, allowed):
        return self.body(state).masked_fill(~allowed, float("-inf"))


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
for _step in range(80):
    state = torch.randn(64, 6)
    allowed = torch.rand(64, 4) < 0.7
    best = torch.where(allowed, state[:, :4], torch.tensor(-1e9)).argmax(1)
    allowed[torch.arange(64), best] = True
    loss = nn.functional.cross_entropy(policy(state, allowed), best)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
policy.eval()
with torch.no_grad():
    print(policy(state, allowed).argmax(1).eq(best).float().mean().item())
