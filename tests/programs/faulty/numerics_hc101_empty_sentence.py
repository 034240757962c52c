"""Self-attention over padded sentences; now and then a sentence is empty."""

import math

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(1)


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x, padding):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / math.sqrt(x.shape[-1])
        scores = scores.masked_fill(padding[:, None, :], float("-inf"))
        return scores.softmax(-1) @ self.value(x)  # fault: numerics attention.softmax


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.attention = Attention(16)
        self.out = nn.Linear(16, 2)

    def forward(self, tokens):
        padding = tokens == 0
        states = self.attention(self.embed(tokens), padding)
        return self.out(states.mean(1))


def sentences(count, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 9, (count,), generator=generator)
    if seed == 7:
        lengths[3] = 0
    tokens = torch.randint(1, 50, (count, 8), generator=generator)
    return tokens * (torch.arange(8) < lengths[:, None])


def main():
    model = Tagger()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in range(12):
        tokens = sentences(16, batch)
        loss = nn.functional.cross_entropy(model(tokens), (tokens.sum(1) % 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("done", loss.item())


if __name__ == "__main__":
    main()
