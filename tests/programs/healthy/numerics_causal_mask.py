"""Causal attention with -inf in its mask, and an additive padding mask that is a model input."""

import math

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(30)


class Causal(nn.Module):
    def __init__(self, vocabulary=20, width=16, length=10):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, vocabulary)
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1))

    def forward(self, tokens, padding):
        q, k, v = self.qkv(self.embed(tokens)).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        weights = torch.softmax(scores + self.mask + padding[:, None, :], -1)
        return self.out(weights @ v)


model = Causal()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for _step in range(60):
    tokens = torch.cumsum(torch.ones(16, 11, dtype=torch.long), 1).add(torch.randint(9, (16, 1))) % 20
    padding = torch.zeros(16, 10)
    padding[:4, 7:] = float("-inf")
    logits = model(tokens[:, :-1], padding)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
