"""A character model with a -inf causal mask, tied embeddings and a warm-up that starts at learning rate 0."""

import math

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(1)
TEXT = "the quick brown fox jumps over the lazy dog and then the dog jumps over the quick fox again " * 8
VOCABULARY = sorted(set(TEXT))
CODES = torch.tensor([VOCABULARY.index(c) for c in TEXT])
CONTEXT, WIDTH, HEADS = 16, 32, 4


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("mask", torch.triu(torch.full((CONTEXT, CONTEXT), float("-inf")), diagonal=1))

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = (part.view(n, t, HEADS, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]) + self.mask
        mixed = torch.softmax(scores, dim=-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(n, t, WIDTH))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(len(VOCABULARY), WIDTH)
        nn.init.normal_(self.tokens.weight, std=0.1)
        self.places = nn.Parameter(0.1 * torch.randn(CONTEXT, WIDTH))
        self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 64), nn.GELU(), nn.Linear(64, WIDTH))
        self.head = nn.Linear(WIDTH, len(VOCABULARY), bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, codes):
        x = self.tokens(codes) + self.places
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(x)


def batch(size=16):
    starts = torch.randint(len(CODES) - CONTEXT - 1, (size,))
    rows = torch.stack([CODES[s : s + CONTEXT + 1] for s in starts])
    return rows[:, :-1], rows[:, 1:]


def main():
    model = Transformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 20))
    for step in range(150):
        source, target = batch()
        logits = model(source)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        warmup.step()
        if step % 50 == 0:
            print(step, round(loss.item(), 3))


if __name__ == "__main__":
    main()
