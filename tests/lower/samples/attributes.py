"""Layers assigned in __init__, in every form an assignment has."""
# The markers belong to the lines that they are on.
# fmt: off

import torch
from torch import nn
from torch.nn import Linear as Dense


class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem = nn.Linear(4, width)  # site: stem @ nn.Linear(4, width)
        self.build(width)

    def build(self, width):
        self.late = nn.Linear(width, width, bias=False)  # site: late @ nn.Linear(width, width, bias=False)


class Net(Base):
    def __init__(self, width=8):
        super().__init__(width)
        self.größe = self.fc1 = nn.Linear(  # site: fc1 @ nn.Linear(
            in_features=width,
            out_features=16,
        )  # end: fc1 @ )
        self.fc2: nn.Module = torch.nn.Linear(16, 16)  # site: fc2 @ torch.nn.Linear(16, 16)
        self.a = self.b = nn.Tanh()  # site: a, b @ nn.Tanh()
        self.c, self.d = nn.Linear(1, 2), nn.Linear(2, 3)  # site: c @ nn.Linear(1, 2); d @ nn.Linear(2, 3)
        self.alias = Dense(3, 3)  # site: alias @ Dense(3, 3)
        self.tied = self.alias  # shares the layer above
        drop = nn.Dropout(0.1)  # site: drop @ nn.Dropout(0.1)
        self.drop = drop
        self.norm = nn.LayerNorm(3).double()  # site: norm @ nn.LayerNorm(3)
        self.add_module("added", nn.GELU())  # site: added @ nn.GELU()
        setattr(self, "dotted", nn.ReLU6())  # site: dotted @ nn.ReLU6()  # noqa: B010


def make():
    return Net()  # site: . @ Net()
