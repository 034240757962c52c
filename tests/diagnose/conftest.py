"""A scene: a small run made by hand, from real arrays, without any framework."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pytest

from hypocenter.diagnose.diagnosis import Diagnosis, diagnose
from hypocenter.diagnose.facts import Facts
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.registry import rule
from hypocenter.diagnose.run import Run
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.site import Site
from hypocenter.kernels.reference import ReferenceKernels
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schema import Phase


def site(line: int, text: str | None = None, part: str | None = None) -> Site:
    """A line of the made-up program `train.py`; `part` of its text is the span."""
    if text is None:
        return Site("train.py", line)
    part = part or text
    start = text.index(part) + 1
    return Site("train.py", line, line, start, start + len(part), snippet=text)


class Scene:
    """Builds the graph and records rows for it."""

    site = staticmethod(site)
    value = staticmethod(lambda name: ValueInfo(name, None, "float32"))

    def __init__(self) -> None:
        self.ir = IR()
        self.recorder = Recorder(None)
        self.kernels = ReferenceKernels()
        self.at(0)

    def input(
        self,
        name: str,
        kind: Literal["input", "parameter", "buffer", "constant", "target"] = "input",
        shape: tuple[int, ...] | None = None,
        dtype: str = "float32",
    ) -> None:
        """Declares a graph input."""
        self.ir.add_input(name, shape=shape, dtype=dtype, kind=kind)

    def node(
        self,
        name: str,
        op: str,
        inputs: Sequence[str],
        *,
        kind: str = "elementwise",
        line: int | Site = 1,
        module: bool = False,
        parameters: Sequence[str] = (),
        attributes: dict[str, Any] | None = None,
        dtype: str = "float32",
        shape: tuple[int, ...] | None = None,
    ) -> str:
        """Adds a node; a layer (`module`) has its definition at `line`, an operation its call. Returns its value."""
        place = site(line) if isinstance(line, int) else line
        self.ir.add_node(
            name,
            op,
            domain="torch",
            scope="",
            kind=kind,
            inputs=list(inputs),
            outputs=[ValueInfo(name, shape, dtype)],
            definition=place if module else None,
            call=place,
            user=None if module else place,
            attributes=attributes or {},
            parameters=list(parameters),
            module=name if module else None,
        )
        return name

    def linear(self, name: str, source: str, line: int = 1, shape: tuple[int, int] = (4, 4)) -> str:
        """A linear layer with a weight."""
        self.input(f"{name}.weight", "parameter", shape)
        weight = f"{name}.weight"
        output = (16, shape[0])
        return self.node(
            name, "Linear", [source], kind="layer", line=line, module=True, parameters=[weight], shape=output
        )

    def at(self, step: int, call: int = 0, training: bool = True) -> None:
        """What is seen from now on belongs to this step."""
        self.recorder.begin(step, call, training)

    def see(self, phase: Phase, **arrays: Any) -> None:
        """Records tensors; `__` in a name stands for a dot, as in `fc__weight`."""
        for name, values in arrays.items():
            row = self.recorder.row(self.recorder.subject(name.replace("__", ".")), phase)
            array = np.asarray(values)
            array = array if array.dtype == np.float16 else array.astype(np.float32)
            self.kernels.statistics(array, row[:14])

    def forward(self, **arrays: Any) -> None:
        """Layer outputs."""
        self.see(Phase.FORWARD, **arrays)

    def loss(self, value: float, name: str = "loss") -> None:
        """The scalar on which backward is called, also seen as a node's output."""
        self.recorder.scalar(self.recorder.subject(name), Phase.LOSS, value)
        self.forward(**{name: value})

    def rate(self, value: float) -> None:
        """The learning rate of the first group."""
        self.recorder.scalar(self.recorder.subject("optimizer0.group0"), Phase.RATE, value)

    def event(self, kind: str, **data: Any) -> None:
        """An event."""
        self.recorder.event(kind, **data)

    def optimizer(self, name: str = "SGD", line: int = 90, lr: float = 0.01, **settings: Any) -> None:
        """The program's optimizer."""
        place = site(line).to_dict()
        names = [value.name for value in self.ir.inputs if value.kind == "parameter"]
        group = {"lr": lr, "parameters": names, **settings}
        self.event("optimizer", id=0, **{"class": name}, groups=[group], missing=[], site=place, sites={"lr": place})

    def run(self) -> Run:
        """The run so far."""
        return Run.from_recorder(self.ir, self.recorder)

    def facts(self) -> Facts:
        """Its facts."""
        return Facts(self.run())

    def find(self, code: str) -> list[Finding]:
        """What one rule finds."""
        return list(rule(code).check(self.facts()))

    def codes(self, codes: Iterable[str]) -> list[str]:
        """Those of the rules that find something."""
        return [code for code in codes if self.find(code)]

    def diagnose(self, **options: Any) -> Diagnosis:
        """The whole diagnosis."""
        return diagnose(self.run(), **options)


@pytest.fixture
def scene() -> Scene:
    """A new, empty scene."""
    return Scene()


@pytest.fixture
def new_scene() -> Callable[[], Scene]:
    """For tests that need several."""
    return Scene
