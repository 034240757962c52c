"""A PyTorch program under observation: the graph, the recorder and the observer, put together."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from hypocenter.ir.graph import IR
from hypocenter.ir.site import Site
from hypocenter.kernels import Kernels
from hypocenter.kernels.reference import ReferenceKernels
from hypocenter.lower.fx.builder import GraphBuilder, Planned
from hypocenter.lower.fx.coverage import coverage
from hypocenter.probes.fx import patches
from hypocenter.probes.fx.interception import Everywhere, intercept, release
from hypocenter.probes.fx.meter import Meter, Probe, Seen
from hypocenter.probes.fx.observer import Observer
from hypocenter.probes.fx.registry import is_lazy
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schedule import Schedule

#: From a module, its path in a model, and the model, to where the module was constructed.
Definition = Callable[[nn.Module, str, nn.Module], Site | None]
Plan = Callable[[IR, str], Planned]


class Live:
    """Everything that watches one program, or one model in it.

    Args:
        recorder: Where rows and events go.
        kernels: How tensors are measured.
        schedule: When everything is measured.
        plan: Which values get a probe.
        definition: Where modules were constructed.
        name_root: Names a second and further model.
        owner_of_root: The module that holds a module that was called at top level.
        checkpoint: Called about once a second while the program runs, and at its first steps.
        meter: What reads the tensors; a `Meter` on `recorder` and `kernels` unless given.
    """

    def __init__(
        self,
        recorder: Recorder,
        kernels: Kernels,
        schedule: Schedule,
        plan: Plan,
        definition: Definition,
        name_root: Callable[[nn.Module], str] = lambda module: type(module).__name__.lower(),
        owner_of_root: Callable[[nn.Module], nn.Module] = lambda module: module,
        checkpoint: Callable[[], None] = lambda: None,
        meter: Meter | None = None,
    ) -> None:
        self.recorder = recorder
        self.builder = GraphBuilder(recorder.subject, self._defined, plan)
        self._definition = definition
        meter = meter or Meter(recorder, kernels)
        self.observer = Observer(meter, self.builder, schedule, name_root, owner_of_root, checkpoint)
        self._everywhere: Everywhere | None = None
        self._at_stop: list[Callable[[], None]] = []

    def _defined(self, module: nn.Module, path: str) -> Site | None:
        known = self.observer.registry.module(module)
        root = None if known is None else known.root.module()
        if known is None or root is None:
            return None
        inner = path.removeprefix(known.root.name).removeprefix(".") if known.root.name else path
        return self._definition(module, inner, root)

    @property
    def ir(self) -> IR:
        """The graph so far."""
        return self.builder.ir

    def start(self, model: nn.Module | None = None) -> None:
        """Watch `model`, or every model of the process."""
        if model is not None:
            self.observer.growth.strays_alone = False
            self.observer.watch(model)
        patches.add(self.observer.training)
        self.observer.start()
        if model is None:
            self._everywhere = Everywhere(self.observer)
            self._everywhere.start()
        else:
            intercept(self.observer, model)

    def stop(self, model: nn.Module | None = None) -> None:
        """Stop watching for good."""
        self.pause(model)
        self.observer.finish()
        while self._at_stop:
            self._at_stop.pop()()

    def pause(self, model: nn.Module | None = None) -> None:
        """Leave PyTorch and the model as they were, until `start`."""
        known = [module for known in self.observer.registry.modules() if (module := known.module()) is not None]
        release(
            self.observer, {id(module): module for module in (*known, *(model.modules() if model else ()))}.values()
        )
        if self._everywhere is not None:
            self._everywhere.stop()
            self._everywhere = None
        patches.discard(self.observer.training)
        self.observer.stop()

    def when_stopped(self, action: Callable[[], None]) -> None:
        """Call `action` at the end of `stop`."""
        self._at_stop.append(action)

    def coverage(self) -> dict[str, Any]:
        """The `coverage` object of the report."""
        return coverage(self.builder, self.observer.registry)

    def report(self) -> None:
        """Record what is otherwise said at the end: optimizers and counters."""
        self.observer.finish()

    def counters(self) -> dict[str, int]:
        """How often what happened: the data of the `counters` event."""
        return dict(self.observer.training.counters)


class _Deaf(Meter):
    """Reads nothing: for building the graph alone."""

    def value(self, tensor: torch.Tensor, probe: Probe, phase: int) -> Seen | None:
        """Read nothing."""
        del tensor, probe, phase
        return None


def lower_module(model: nn.Module, example_inputs: Any, plan: Plan, definition: Definition) -> IR:
    """Run a model once on example inputs and return its graph.

    The model runs in the mode in which it is; buffers and the states of the random generators are put back.

    Args:
        model: The model.
        example_inputs: A tensor, a tuple of positional or a mapping of keyword arguments.
        plan: Which values would get a probe (they do not).
        definition: Where modules were constructed.

    Raises:
        Exception: whatever the model's forward raises.
    """
    recorder = Recorder(None)
    kernels = ReferenceKernels()  # never called: nothing is measured
    live = Live(recorder, kernels, Schedule(), plan, definition, meter=_Deaf(recorder, kernels))
    with undisturbed(model), torch.enable_grad():
        live.start(model)
        try:
            call(model, example_inputs)
        finally:
            live.stop(model)
    return live.ir


def call(model: nn.Module, inputs: Any) -> Any:
    """Call a model with a tensor, a tuple of positional or a mapping of keyword arguments."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


@contextlib.contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put buffers and random states (of torch, numpy and Python) back at the end."""
    buffers = [
        (module, name, buffer, None if is_lazy(buffer) else buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    devices = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - programs use this generator
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002 - likewise
        with torch.no_grad():
            for module, name, buffer, before in buffers:
                if before is not None and name in module._buffers:
                    module._buffers[name] = buffer
                    buffer.copy_(before)
