"""Modules that do unusual things around their constructors."""
# The markers belong to the lines that they are on.
# fmt: off

import dataclasses
import functools

from torch import nn


def logged(init):
    @functools.wraps(init)
    def inner(self, *args, **kwargs):
        init(self, *args, **kwargs)

    return inner


class Meta(type):
    def __call__(cls, *args, **kwargs):
        return super().__call__(*args, **kwargs)


class Decorated(nn.Module):
    @logged
    def __init__(self):
        super().__init__()


class DecoratedTwice(Decorated):
    @logged
    def __init__(self):
        super().__init__()


class Made(nn.Module, metaclass=Meta):
    def __init__(self):
        self.before = 3
        super().__init__()


class Slotted(nn.Module):
    __slots__ = ("thing",)


class Equal(nn.Module):
    def __eq__(self, other):
        raise RuntimeError("compared")

    __hash__ = None


@dataclasses.dataclass(eq=False)
class Data(nn.Module):
    width: int

    def __post_init__(self):
        super().__init__()
        self.fc = nn.Linear(self.width, 1)  # site: data.fc @ nn.Linear(self.width, 1)


class Tree(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.depth = depth
        if depth:
            self.child = Tree(depth - 1)  # site: tree.child, tree.child.child @ Tree(depth - 1)


class Twice(nn.Module):
    def __init__(self):
        nn.Module.__init__(self)
        nn.Module.__init__(self)
        self._prepare()

    def _prepare(self):
        self.fc = nn.Linear(2, 2)  # site: twice.fc @ nn.Linear(2, 2)


class Wide(nn.Linear):
    def __init__(self, n):
        super().__init__(n, n)


class Net(nn.Module):
    def __init__(self):
        children = [nn.Linear(1, 1)]  # site: early @ nn.Linear(1, 1)
        super().__init__()
        self.early = children[0]
        self.decorated = Decorated()  # site: decorated @ Decorated()
        self.twice_decorated = DecoratedTwice()  # site: twice_decorated @ DecoratedTwice()
        self.made = Made()  # site: made @ Made()
        self.slotted = Slotted()  # site: slotted @ Slotted()
        self.equal = Equal()  # site: equal @ Equal()
        self.data = Data(3)  # site: data @ Data(3)
        self.tree = Tree(2)  # site: tree @ Tree(2)
        self.twice = Twice()  # site: twice @ Twice()
        self.wide = Wide(3)  # site: wide @ Wide(3)


def make():
    return Net()
