"""Layers made by helper functions, methods, nested functions, class methods and passed-in classes."""
# The markers belong to the lines that they are on.
# fmt: off

import copy

from torch import nn


def block(i, o, act=nn.ReLU):
    return nn.Sequential(nn.Linear(i, o), act())  # site: one.0, two.0 @ nn.Linear(i, o); one.1, two.1 @ act()


def assembled(width):
    parts = [nn.LayerNorm(width)]  # site: built.0 @ nn.LayerNorm(width)
    parts.append(nn.Linear(width, width))  # site: built.1 @ nn.Linear(width, width)
    net = nn.Sequential(*parts)
    net.append(nn.Sigmoid())  # site: built.2 @ nn.Sigmoid()
    return net


def clones(module, n):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(n)])


def either(flag):
    if flag:
        return nn.Linear(5, 5)  # site: either @ nn.Linear(5, 5) [range]
    return nn.Linear(5, 5, bias=True)


class Inner(nn.Module):
    def __init__(self, norm, *, activation=nn.GELU):
        super().__init__()
        self.norm = norm(4)  # site: inner.norm @ norm(4)
        self.act = activation()  # site: inner.act @ activation()

    @classmethod
    def create(cls):
        return cls(nn.LayerNorm)  # site: inner @ cls(nn.LayerNorm)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = block(4, 8)
        self.two = block(8, 2, act=nn.Tanh)
        self.built = assembled(2)
        self.copies = clones(nn.Linear(3, 3), 2)  # site: copies.0, copies.1 @ nn.Linear(3, 3)
        self.either = either(True)
        self.inner = Inner.create()
        self.made = self._make(6)

        def local(n):
            return nn.Linear(n, n)  # site: local @ nn.Linear(n, n)

        self.local = local(7)
        make_softplus = lambda: nn.Softplus(2)  # site: given @ nn.Softplus(2)  # noqa: E731  # people write this
        self.given = make_softplus()

    def _make(self, n):
        layers = [nn.Linear(n, n)]  # site: made.0 @ nn.Linear(n, n)
        layers.extend([nn.ReLU(), nn.Dropout(0.2)])  # site: made.1 @ nn.ReLU(); made.2 @ nn.Dropout(0.2)
        return nn.Sequential(*layers)


def make():
    return Net()
