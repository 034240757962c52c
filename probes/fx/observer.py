"""Watches a program run: every layer and every function between layers, as it is executed.

Calls of modules reach `Observer.module_call` in one of two ways (`probes.fx.interception`); calls of functions reach
`_Mode`. Both end in `_executed`, which names the outputs, adds a node to the graph the first time, and lets the meter
read the outputs every time. Nothing that the program computes is touched: tensors are read in place, gradients by
hooks that return nothing.
"""

import sys
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from hypocenter.ir.frames import Owner, owner_of
from hypocenter.probes.fx import stack
from hypocenter.probes.fx.calls import MAX_REPEATS, Graph, Node
from hypocenter.probes.fx.flow import Flow
from hypocenter.probes.fx.functions import function_name
from hypocenter.probes.fx.growth import Growth
from hypocenter.probes.fx.meter import Meter, Probe, Seen, version
from hypocenter.probes.fx.registry import Known, Registry, Root, fused_in_eval, is_compiled, joined
from hypocenter.probes.fx.tensors import FLOATING, has_graph, plain, shape_of, tensors_in
from hypocenter.probes.fx.training import Training
from hypocenter.probes.fx.work import Work
from hypocenter.probes.schedule import Schedule
from hypocenter.probes.schema import Phase

PlaceKey = tuple[str | None, Callable[..., Any], int, int]
_SET_DATA = torch.Tensor.data.__set__  # type: ignore[attr-defined]  # `tensor.data = values`; a descriptor, not in the stubs


class _Mode(TorchFunctionMode):
    """Hands every call of PyTorch's functions to the observer."""

    def __init__(self, observer: "Observer") -> None:
        super().__init__()
        self.observer = observer

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the function as it is and look at what it returned."""
        out = func(*args, **kwargs) if kwargs else func(*args)
        if stack.quiet.active or not isinstance(out, (torch.Tensor, tuple, list)) or torch.compiler.is_compiling():
            if out is None and func == _SET_DATA and not stack.quiet.active:
                with self.observer.work:
                    self.observer.growth.data_set(args[0], sys._getframe(1))
            return out
        with self.observer.work:
            self.observer.function_called(func, args, kwargs, out, sys._getframe(1))
        return out


class Observer:
    """Watches models and what is done with their outputs, in the thread that created it.

    Args:
        meter: Measures tensors.
        graph: Grows the IR and says which values get a probe.
        schedule: When everything is measured.
        name_root: Names a model that was met without a name.
        owner_of_root: Finds the module that holds a module met at top level, or returns it as it is.
        checkpoint: Called about once a second, from the program's own thread, between its operations.
    """

    def __init__(
        self,
        meter: Meter,
        graph: Graph,
        schedule: Schedule,
        name_root: Callable[[nn.Module], str] = lambda module: type(module).__name__,
        owner_of_root: Callable[[nn.Module], nn.Module] = lambda module: module,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        self.meter = meter
        self.graph = graph
        self.schedule = schedule
        self.registry = Registry()
        self.flow = Flow()
        self.work = Work(meter.recorder, self._give_up)
        self.mode = _Mode(self)
        self.growth = Growth(meter, graph, self.registry, self.flow)
        self.training = Training(self)
        self.active = True
        self.checkpoint = checkpoint
        self._name_root = name_root
        self._owner_of_root = owner_of_root
        self._thread = threading.get_ident()
        self._scopes: list[Known] = []
        self._indivisible = 0
        self._unseen = self.suspended()  # one for all layers, as they do not run within each other
        self._repeats: dict[Any, int] = {}
        self._places: dict[PlaceKey, dict[int, Node]] = {}
        self._names: dict[Callable[..., Any], str | None] = {}

    # -- lifecycle ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to watch functions called in this thread."""
        self.active = True
        stack.push_bottom(self.mode)

    def stop(self) -> None:
        """Stop watching, until `start`."""
        self.active = False
        self.training.leave_step()  # one that raised: to leave it puts the mode back
        stack.remove(self.mode)

    def _give_up(self) -> None:
        self.active = False

    def finish(self) -> None:
        """Record what is known only at the end; what is still on a device is fetched."""
        self.training.finish()
        self.meter.flush()

    def suspended(self) -> stack.Suspended:
        """A context in which PyTorch does not know of the observer."""
        return stack.Suspended(self.mode)

    # -- modules -----------------------------------------------------------------------------------------------

    def module_call(
        self, module: nn.Module, run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run `module` through `run` and watch it."""
        if threading.get_ident() != self._thread:
            self.registry.elsewhere |= self.active
            return run(*args, **kwargs)
        if self._indivisible or not self.active:
            return run(*args, **kwargs)
        known = self.registry.module(module)
        if not self._scopes:
            if stack.elsewhere():
                return run(*args, **kwargs)
            return self._top_level(module, known, run, args, kwargs)
        if known is None:
            parent = self._scopes[-1]
            known = self.registry.add_module(module, joined(parent.path, type(module).__name__), parent.root)
        return self._inner(module, known, run, args, kwargs)

    def _top_level(
        self, module: nn.Module, known: Known | None, run: Callable[..., Any], args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        if known is None:
            with self.suspended(), self.work:
                self._learn(self._owner_of_root(module))
            known = self.registry.module(module)
            if known is None:
                return run(*args, **kwargs)
        named = any(self.flow.name(tensor) for tensor in tensors_in((args, kwargs)))
        criterion = named and not any(True for _ in module.parameters())
        part = known.path != known.root.name and self.training.within_forward(module)
        if not criterion and not (named and part):  # else it goes on with the forward pass that another part began
            self._repeats.clear()
            self.growth.reshaped = False
            with self.suspended(), self.work:
                self.training.forward_begins(module)
                self.growth.name_inputs(known, args, kwargs)
        absent = not stack.present(self.mode)
        if absent:  # within an optimizer's closure, or after a step that raised
            stack.push_bottom(self.mode)
        try:
            out = self._inner(module, known, run, args, kwargs)
        finally:
            self._scopes.clear()
            if absent:
                stack.remove(self.mode)
        if not criterion:
            with self.work:
                self.growth.note_outputs(known, out)
        return out

    def _inner(
        self, module: nn.Module, known: Known, run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        whole = None if known.leaf else is_compiled(module) or fused_in_eval(module)
        if not known.leaf and whole is None:
            self._scopes.append(known)
            try:
                return run(*args, **kwargs)
            finally:
                if self._scopes:
                    self._scopes.pop()
        with self._unseen:
            self._indivisible += 1
            try:
                out = run(*args, **kwargs)
            finally:
                self._indivisible -= 1
            with self.work:
                self._layer_called(module, known, args, kwargs, out, whole)
        return out

    def _layer_called(
        self, module: nn.Module, known: Known, args: tuple[Any, ...], kwargs: Any, out: Any, whole: str | None
    ) -> None:
        repeat = self._count(id(module))
        node = known.nodes.get(repeat)
        outputs = (out,) if isinstance(out, torch.Tensor) else tuple(tensors_in(out))
        if node is None and outputs:
            scope = self._scopes[-1].path if self._scopes else None
            inputs = list(tensors_in((args, kwargs)))
            node = known.nodes[repeat] = self.growth.layer(module, known, scope, repeat, inputs, outputs, whole)
        elif node is not None and node.targets:
            self.growth.measure_targets(node, list(tensors_in((args, kwargs))))
        if node is not None:
            self._executed(node, outputs)

    def _learn(self, module: nn.Module) -> Root | None:
        name = self._name_root(module) if self.registry.roots else ""
        root = self.registry.add_root(module, name)
        if root is not None:
            for path, tensor in module.named_parameters():
                if self.registry.parameter(tensor) is None:
                    self.growth.learn_parameter(tensor, joined(name, path))
            self.training.model_found(root, module)
        return root

    def watch(self, module: nn.Module) -> None:
        """Learn a model before its first call."""
        if self.registry.module(module) is None:
            self._learn(module)

    # -- functions ---------------------------------------------------------------------------------------------

    def function_called(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None, out: Any, frame: FrameType
    ) -> None:
        """Look at what a function of PyTorch's API returned."""
        if self._indivisible or not self.active or (not self._scopes and stack.elsewhere()):
            return
        try:
            name = self._names[func]
        except KeyError:
            name = self._names[func] = function_name(func)
        if name is None:
            return
        caller: FrameType | None = frame
        while caller is not None and owner_of(caller) is Owner.MACHINERY:
            caller = caller.f_back
        if caller is None:
            return
        scope = self._scopes[-1].path if self._scopes else None
        place: PlaceKey = (scope, func, id(caller.f_code), caller.f_lasti)
        nodes = self._places.get(place)
        repeat = self._count(place)
        node = nodes.get(repeat) if nodes is not None else None
        outputs = (out,) if isinstance(out, torch.Tensor) else tuple(tensors_in(out))
        if node is None:
            node = self.growth.function(name, scope, repeat, args, kwargs or {}, outputs, caller)
            if node is None:
                self._repeats[place] = repeat  # not a node: the next one here may be the first
                return
            self._places.setdefault(place, {})[repeat] = node
        elif node.targets:
            self.growth.measure_targets(node, [*tensors_in(args), *tensors_in(kwargs)])
        self._executed(node, outputs)

    # -- both --------------------------------------------------------------------------------------------------

    def _count(self, place: Any) -> int:
        repeat = self._repeats.get(place, 0)
        self._repeats[place] = repeat + 1
        return min(repeat, MAX_REPEATS - 1)

    def _executed(self, node: Node, outputs: tuple[torch.Tensor, ...]) -> None:
        flow, meter = self.flow, self.meter
        for tensor, value, probe in zip(outputs, node.values, node.probes, strict=False):
            flow.set(tensor, value)
            if self.growth.reshaped:
                self.graph.widen(value, shape_of(tensor))
            if probe is None or tensor.dtype not in FLOATING or not plain(tensor):
                continue
            seen = meter.value(tensor, probe, Phase.FORWARD)
            if self.training.watching_gradients and has_graph(tensor):
                kept = seen if probe.relevant and not stack.frugal() else None
                tensor.register_hook(  # type: ignore[no-untyped-call]  # torch annotates its arguments only
                    partial(self._gradient, probe, kept, tensor._version, meter.step)
                )
        for tensor in outputs[len(node.values) :]:  # more than at the first time
            flow.set(tensor, node.values[-1])

    def _gradient(
        self, probe: Probe, activation: Seen | None, version_then: int, step: int, gradient: torch.Tensor
    ) -> None:
        if not self.active or step != self.meter.step:
            return
        with self.work:
            unchanged = activation is not None and version(activation) == version_then
            self.meter.gradient(gradient, activation if unchanged else None, probe)
