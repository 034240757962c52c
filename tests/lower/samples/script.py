"""A script without a class of its own: everything at module level."""
# The markers belong to the lines that they are on.
# fmt: off

from collections import OrderedDict

from torch import nn

HIDDEN = 16
model = nn.Sequential(  # site: . @ nn.Sequential(
    nn.Flatten(),  # site: 0 @ nn.Flatten()
    nn.Linear(64, HIDDEN),  # site: 1 @ nn.Linear(64, HIDDEN)
    nn.ReLU(),  # site: 2 @ nn.ReLU()
    nn.Sequential(OrderedDict(out=nn.Linear(HIDDEN, 10))),  # site: 3.out @ nn.Linear(HIDDEN, 10)
    nn.Softmax(dim=1),  # site: 4 @ nn.Softmax(dim=1)
)  # end: . @ )
other = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def make():
    return model
