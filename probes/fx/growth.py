"""What happens the first time: names for tensors from outside, and nodes for calls that were not seen before."""

import sys
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn

from hypocenter.ir.frames import call_sites, with_snippet
from hypocenter.ir.layer import Shape
from hypocenter.probes.fx.calls import Call, Graph, Node
from hypocenter.probes.fx.data import DataWatch
from hypocenter.probes.fx.flow import Flow
from hypocenter.probes.fx.functions import configuration, constants, in_place
from hypocenter.probes.fx.meter import Meter, Probe
from hypocenter.probes.fx.registry import NEVER, TOUCHED, Known, Parameter, Registry, Root, is_lazy, joined
from hypocenter.probes.fx.tensors import FLOATING, describe, is_variable, named_tensors, plain, shape_of, tensors_in
from hypocenter.probes.fx.writes import Writes
from hypocenter.probes.schema import Phase

#: How often inputs and targets are described in full; after that only their statistics are recorded.
DESCRIBED_BATCHES = 3

#: Tensors outside of modules that want gradients: more than these are not parameters but made anew in each step.
MAX_STRAY_PARAMETERS = 256


class Growth:
    """Names values and adds nodes.

    Args:
        meter: Measures inputs and targets.
        graph: Grows.
        registry: The known models.
        flow: Which value each live tensor is.

    Attributes:
        strays_alone: Whether parameters of no known model make nodes also where no value of a known model comes in:
            in a whole program those that it has outside of modules, beside one model those of others.
        reshaped: An input of this forward pass came in another shape than before, so that values may have too.
    """

    def __init__(self, meter: Meter, graph: Graph, registry: Registry, flow: Flow) -> None:
        self.reshaped = False
        self.strays_alone = True
        self._meter = meter
        self._graph = graph
        self._registry = registry
        self._flow = flow
        self._described: dict[str, int] = {}
        self._strays = 0
        self._data = DataWatch(meter.recorder, meter.kernels)
        self._loose: dict[str, Root] = {}  # what parts of models returned to the user's own code
        self._writes = Writes()
        self._shapes: dict[str, Shape | None] = {}

    def learn_parameter(self, tensor: torch.Tensor, name: str) -> None:
        """Give a parameter its name in the graph and in the trace; a lazy one without a shape gets it when it has."""
        if is_lazy(tensor):
            return
        self._registry.add_parameter(tensor, name, Probe(self._meter.recorder.subject(name)))
        self._flow.set(tensor, name)
        self._graph.new_parameter(name, tensor)
        written = self._writes.site(tensor)
        if written is not None:
            self._meter.recorder.event("written", parameter=name, site=written.to_dict())

    def parameter(self, tensor: torch.Tensor) -> Parameter | None:
        """What is known of a parameter; one that a known model was given since gets its name now."""
        known = self._registry.parameter(tensor)
        if known is not None:
            return known
        name = self._registry.name_in_models(tensor)
        if name is None or is_lazy(tensor):
            return None
        self.learn_parameter(tensor, name)
        known = self._registry.parameter(tensor)
        if known is not None and tensor.dtype in FLOATING and plain(tensor):
            self._meter.value(tensor, known.probe, Phase.WEIGHT)
        return known

    def name_inputs(self, known: Known, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Name and measure what a model is called with; what another model made keeps its name."""
        for label, tensor in named_tensors(args, kwargs, known.root.forward_names):
            if self._flow.name(tensor) is None:
                self.name_input(joined(known.path, label), tensor, "input")

    def name_input(self, name: str, tensor: torch.Tensor, role: str) -> str:
        """Name a tensor that comes from outside, describe its first batches and measure it."""
        value = self._graph.new_input(name, tensor, role)
        shape = shape_of(tensor)
        self.reshaped |= self._shapes.setdefault(value, shape) != shape
        self._shapes[value] = shape
        self._flow.set(tensor, value)
        seen = self._described.get(value, 0)
        if seen < DESCRIBED_BATCHES:
            self._described[value] = seen + 1
            user = call_sites(sys._getframe(1))[1]
            place = None if user is None else with_snippet(user.with_role("data")).to_dict()
            self._meter.recorder.event("data", subject=value, role=role, site=place, **describe(tensor))
        if tensor.dtype in FLOATING and plain(tensor):
            phase = Phase.INPUT if role == "input" else Phase.TARGET
            self._meter.value(tensor, Probe(self._meter.recorder.subject(value)), phase)
        return value

    def note_outputs(self, known: Known, out: Any) -> None:
        """Mark what a model returned; what a part of one returned is an output once other code takes it."""
        for tensor in tensors_in(out):
            name = self._flow.name(tensor)
            if name is None or name in known.root.outputs:
                continue
            if known.path == known.root.name:
                self._note_output(name, known.root)
            else:
                self._loose[name] = known.root

    def _note_output(self, name: str, root: Root) -> None:
        root.outputs.add(name)
        self._graph.new_output(name)
        self._mark_spread(name)

    def _mark_spread(self, name: str) -> None:
        """Measure the spread of a model's output, or of the value that a view at the end shows."""
        probe = self._graph.probe_of(name)
        if probe is not None:
            probe.spread = True

    def function(
        self,
        name: str,
        scope: str | None,
        repeat: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outputs: tuple[torch.Tensor, ...],
        caller: FrameType,
    ) -> Node | None:
        """The node of a function call, or None when no data of a model goes into it. `scope` is None outside models."""
        inputs = [*tensors_in(args), *tensors_in(kwargs)]
        names = [self._flow.name(tensor) for tensor in inputs]
        if self._sets_parameter(name, inputs, names, outputs, caller):
            return None
        learning = torch.is_grad_enabled() and any(out.requires_grad for out in outputs)
        own = learning and (self.strays_alone or any(names))
        for i, tensor in enumerate(inputs):  # a program may have parameters of its own, outside of any module
            if names[i] is None and own and is_variable(tensor):
                known = self.parameter(tensor)
                names[i] = self._stray_parameter(tensor) if known is None else known.name
        if not outputs or not any(names):
            if scope is None:
                self._data.look(name, inputs, outputs, caller)
            return None
        if any(out is tensor for out in outputs for tensor in inputs) and not in_place(name, kwargs):
            return None
        if scope is None and self._housekeeping(inputs, names, outputs):
            return None
        targets = () if scope is not None else self._targets(inputs, names)
        call = Call(
            name, scope or "", None, None, repeat, scope is not None, tuple(names), tuple(inputs), (), outputs,
            constants(args, kwargs), caller,
        )  # fmt: skip
        return self._grow(call, targets, caller.f_code)

    def data_set(self, tensor: torch.Tensor, caller: FrameType) -> None:
        """A tensor got other values by an assignment to its `.data`."""
        if is_variable(tensor):
            self._touched(tensor, caller)

    def _touched(self, parameter: torch.Tensor, caller: FrameType) -> None:
        known = self._registry.parameter(parameter)
        if known is not None and known.version != NEVER:
            known.version = TOUCHED
        if self._flow.name(parameter) is None:
            self._writes.note(parameter, caller)

    def _sets_parameter(
        self,
        name: str,
        inputs: list[torch.Tensor],
        names: list[str | None],
        outputs: tuple[torch.Tensor, ...],
        caller: FrameType,
    ) -> bool:
        """Whether a call fills or updates a parameter in place, itself or through its `.data`; notes who did."""
        first = inputs[0] if inputs else None
        if name == "data" and first is not None and is_variable(first):
            for view in outputs:
                self._writes.viewed(view, first)
            return names[0] is None
        set_here = [out for out in outputs if is_variable(out)]
        behind = [owner for out in outputs if (owner := self._writes.owner(out)) is not None]
        for parameter in (*set_here, *behind):
            self._touched(parameter, caller)
        return bool(set_here or behind)

    def layer(
        self,
        module: nn.Module,
        known: Known,
        scope: str | None,
        repeat: int,
        inputs: list[torch.Tensor],
        outputs: tuple[torch.Tensor, ...],
        whole: str | None,
    ) -> Node:
        """The node of a module call. `scope` is None outside models."""
        names = [self._flow.name(tensor) for tensor in inputs]
        found = [self.parameter(parameter) for parameter in module.parameters()]
        parameters = tuple(parameter.name for parameter in found if parameter is not None)
        loss = isinstance(module, nn.modules.loss._Loss)
        inside = scope is not None or bool(parameters) or (known.path != known.root.name and not loss)
        targets = () if inside else self._targets(inputs, names)
        call = Call(
            type(module).__name__, scope or "", known.path, module, repeat, inside,
            tuple(names), tuple(inputs), parameters, outputs, configuration(module), sys._getframe(1), whole,
        )  # fmt: skip
        return self._grow(call, targets)

    def measure_targets(self, node: Node, inputs: list[torch.Tensor]) -> None:
        """Name and measure the targets among the inputs of a call that was seen before."""
        for place, value in node.targets:
            if place < len(inputs) and self._flow.name(inputs[place]) is None:
                self.name_input(value, inputs[place], "target")

    def _targets(self, inputs: list[torch.Tensor], names: list[str | None]) -> tuple[tuple[int, str], ...]:
        """Outside of models, a tensor of unknown origin beside outputs of its batch size is what they should become.

        Fills `names` in and returns the places of the targets.
        """
        sizes = [(shape_of(tensor) or (None,))[0] for tensor in inputs]
        batch = {size for size, name in zip(sizes, names, strict=True) if name and size is not None}
        found: list[tuple[int, str]] = []
        for i, tensor in enumerate(inputs):
            if names[i] is None and sizes[i] in batch:
                names[i] = self.name_input("target", tensor, "target")
                found.append((i, names[i] or ""))
        return tuple(found)

    def _housekeeping(
        self, inputs: list[torch.Tensor], names: list[str | None], outputs: tuple[torch.Tensor, ...]
    ) -> bool:
        """Whether this only looks at parameters or changes them: an update by hand, an average, a norm to print."""
        if torch.is_grad_enabled() and any(out.requires_grad for out in outputs):
            return False
        return all(
            self._registry.parameter(tensor) is not None for tensor, name in zip(inputs, names, strict=True) if name
        )

    def _stray_parameter(self, tensor: torch.Tensor) -> str | None:
        if self._strays >= MAX_STRAY_PARAMETERS:
            return None
        name = f"parameter{self._strays}"
        self._strays += 1
        self.learn_parameter(tensor, name)
        return name

    def _grow(self, call: Call, targets: tuple[tuple[int, str], ...], *keep: CodeType) -> Node:
        for name in () if call.inside else call.inputs:
            if name in self._loose:
                self._note_output(name, self._loose.pop(name))
        node = self._graph.grow(call)
        node.targets, node.keep = targets, keep
        return node
