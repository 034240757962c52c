"""Places that only a running program can tell apart: an exact answer from the source would be a guess."""
# The markers belong to the lines that they are on.
# fmt: off

from torch import nn


class Net(nn.Module):
    def __init__(self, deep=True, head=None, extra=None):
        super().__init__()
        n = 8
        if deep:
            self.fc = nn.Linear(n, 8)  # site: fc @ nn.Linear(n, 8) [range]
        else:
            self.fc = nn.Linear(8, n)
        if deep:
            self.told = nn.Linear(8, 3)  # site: told @ nn.Linear(8, 3)
        else:
            self.told = nn.Linear(8, 4)
        self.act = nn.ReLU() if deep else nn.Tanh()  # site: act @ nn.ReLU()
        table = {"relu": nn.ReLU, "tanh": nn.Tanh}
        self.pick = table["tanh"]()  # site: pick @ table["tanh"]()
        kind = "SiLU"
        self.named = getattr(nn, kind)()  # site: named @ getattr(nn, kind)() [none]
        self.head = head if head is not None else nn.Linear(8, 2)  # made by the caller
        self.replaced = nn.Linear(1, n)
        for index, layer in enumerate(extra or ()):
            self.add_module(str(index), layer)  # made by the caller
        self.net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        self.net[0] = nn.Linear(n - 6, 2)  # site: net.0 @ nn.Linear(n - 6, 2) [range]
        twins = nn.Linear(n, n), nn.Linear(n, n)
        self.left, self.right = twins


def heads():
    return nn.Linear(8, 2)  # site: head @ nn.Linear(8, 2) [none]


def make():
    extra = [nn.Linear(8, 1), nn.ELU()]  # site: 0 @ nn.Linear(8, 1) [none]; 1 @ nn.ELU() [none]
    chosen = heads()
    given = {"head": chosen, "extra": extra}
    net = Net(True, **given)
    net.replaced = nn.Linear(1, 8)  # site: replaced @ nn.Linear(1, 8) [range]
    return net
