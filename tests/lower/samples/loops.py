"""Layers made in loops, comprehensions and generators, and collected in lists."""
# The markers belong to the lines that they are on.
# fmt: off

import itertools

from torch import nn

SIZES = [4, 8, 8, 2]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.comprehension = nn.ModuleList(
            [
                nn.Linear(a, b)  # site: comprehension.0, comprehension.1, comprehension.2 @ nn.Linear(a, b)
                for a, b in itertools.pairwise(SIZES)
            ]
        )
        self.generator = nn.Sequential(
            *(nn.Linear(4, 4) for _ in range(2)),  # site: generator.0, generator.1 @ nn.Linear(4, 4)
        )
        layers = []
        for a, b in itertools.pairwise(SIZES):
            layers.append(nn.Linear(a, b))  # site: loop.0, loop.2 @ nn.Linear(a, b)
            layers += [nn.ReLU()]  # site: loop.1, loop.3 @ nn.ReLU()
        self.loop = nn.Sequential(*layers)
        stack = [nn.Linear(4, 8)]  # site: stack.0 @ nn.Linear(4, 8) [range]
        for _ in range(2):
            print(end="")
            stack.append(nn.Linear(8, 8))  # site: stack.1, stack.2 @ nn.Linear(8, 8) [range]
        width = 8
        stack.append(nn.Linear(width, 8))  # site: stack.3 @ nn.Linear(width, 8) [range]
        self.stack = nn.Sequential(*stack)
        self.grown = nn.ModuleList()
        for size in SIZES:
            self.grown.append(nn.Linear(size, size))  # site: grown.0, grown.3 @ nn.Linear(size, size)
        for number, size in enumerate(SIZES):
            setattr(self, f"layer{number}", nn.Linear(size, 1))  # site: layer0, layer3 @ nn.Linear(size, 1)
        self.dictionary = nn.ModuleDict(
            {
                "left": nn.Linear(4, 1),  # site: dictionary.left @ nn.Linear(4, 1)
                "right": nn.Linear(4, 1),  # site: dictionary.right @ nn.Linear(4, 1)
            }
        )
        self.dictionary["third"] = nn.Linear(4, 1)  # site: dictionary.third @ nn.Linear(4, 1)
        self.mapped = nn.ModuleDict(
            {name: nn.Linear(2, 2) for name in ("x", "y")},  # site: mapped.x, mapped.y @ nn.Linear(2, 2)
        )
        self.mixed = nn.Sequential(
            nn.Linear(9, 9),  # site: mixed.0 @ nn.Linear(9, 9)
            *[nn.ELU() for _ in range(3)],  # site: mixed.1, mixed.3 @ nn.ELU()
            nn.Linear(9, 9),  # site: mixed.4 @ nn.Linear(9, 9)
        )
        self.repeated = nn.Sequential(*[nn.ReLU()] * 2)  # site: repeated.0, repeated.1 @ nn.ReLU()


def make():
    return Net()
