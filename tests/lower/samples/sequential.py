"""nn.Sequential over several lines, by OrderedDict, nested, and built at module level."""
# The markers belong to the lines that they are on.
# fmt: off

from collections import OrderedDict

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(  # site: 0.net @ nn.Sequential(
            nn.Linear(4, 8),  # site: 0.net.0 @ nn.Linear(4, 8)
            nn.ReLU(),  # site: 0.net.1 @ nn.ReLU()
            nn.Linear(  # site: 0.net.2 @ nn.Linear(
                8,
                2,
            ),  # end: 0.net.2 @ )
            nn.Sequential(nn.ReLU(), nn.Dropout(0.5)),  # site: 0.net.3.0 @ nn.ReLU(); 0.net.3.1 @ nn.Dropout(0.5)
        )  # end: 0.net @ )
        self.named = nn.Sequential(
            OrderedDict(
                [
                    ("fc1", nn.Linear(4, 8)),  # site: 0.named.fc1 @ nn.Linear(4, 8)
                    ("act", nn.ReLU()),  # site: 0.named.act @ nn.ReLU()
                    ("fc2", nn.Linear(8, 2)),  # site: 0.named.fc2 @ nn.Linear(8, 2)
                ]
            )
        )
        self.keyed = nn.Sequential(
            OrderedDict(
                one=nn.Linear(4, 4),  # site: 0.keyed.one @ nn.Linear(4, 4)
                two=nn.Linear(4, 4),  # site: 0.keyed.two @ nn.Linear(4, 4)
            )
        )


class Block(nn.Sequential):
    def __init__(self, width):
        super().__init__(
            nn.Linear(width, width),  # site: 1.0 @ nn.Linear(width, width)
            nn.BatchNorm1d(width),  # site: 1.1 @ nn.BatchNorm1d(width)
        )


def make():
    return nn.Sequential(Net(), Block(2)).eval()  # site: 0 @ Net(); 1 @ Block(2)
