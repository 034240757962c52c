"""The models, modules and parameters that an observer knows, by identity and without keeping them alive."""

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from hypocenter.ir.frames import is_library
from hypocenter.probes.fx.calls import Node
from hypocenter.probes.fx.meter import Probe
from hypocenter.probes.fx.tensors import FLOATING

#: More models than this in one process are not observed: a search over 1,000 models would be one graph of all.
MAX_ROOTS = 32

#: Versions that no tensor has: of a parameter that was not read yet, and of one that was written to through `.data`.
NEVER, TOUCHED = -1, -2

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)
_FUSED_IN_EVAL = (nn.TransformerEncoder, nn.TransformerEncoderLayer)


@dataclass(slots=True)
class Root:
    """A model: the module that is called from the user's own code."""

    name: str
    module: weakref.ref[nn.Module]
    forward_names: tuple[str, ...]
    outputs: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Known:
    """What the observer keeps of one module."""

    module: weakref.ref[nn.Module]
    path: str
    root: Root
    leaf: bool
    nodes: dict[int, Node] = field(default_factory=dict)  # by number of the call within a forward pass


@dataclass(slots=True)
class Parameter:
    """A parameter and its probes."""

    name: str
    tensor: weakref.ref[torch.Tensor]
    probe: Probe
    previous: torch.Tensor | None = None  # values before the next update
    version: int = NEVER  # of the tensor when it was last read; TOUCHED after a write that leaves it as it was
    moving: bool = False  # backward gave it a gradient, and no update was looked for since


class Registry:
    """Look-ups by identity. Names of a second and further model start with the model's own name."""

    def __init__(self) -> None:
        self.roots: list[Root] = []
        self.refused = 0  # models beyond MAX_ROOTS
        self._refused: dict[int, weakref.ref[nn.Module]] = {}
        self.elsewhere = False  # modules were called in a thread that is not watched
        self._modules: dict[int, Known] = {}
        self._parameters: dict[int, Parameter] = {}

    def module(self, module: nn.Module) -> Known | None:
        """What is known of `module`."""
        known = self._modules.get(id(module))
        return known if known is not None and known.module() is module else None

    def modules(self) -> Iterator[Known]:
        """All known modules that are still alive."""
        return (known for known in self._modules.values() if known.module() is not None)

    def parameter(self, tensor: torch.Tensor) -> Parameter | None:
        """What is known of a parameter."""
        known = self._parameters.get(id(tensor))
        return known if known is not None and known.tensor() is tensor else None

    def measured(self, tensor: torch.Tensor) -> Parameter | None:
        """What is known of a parameter, unless it has no figures because it is complex."""
        return self.parameter(tensor) if tensor.dtype in FLOATING else None

    def parameters(self) -> Iterator[tuple[Parameter, torch.Tensor]]:
        """All known parameters that are still alive."""
        for known in self._parameters.values():
            tensor = known.tensor()
            if tensor is not None:
                yield known, tensor

    def name_in_models(self, tensor: torch.Tensor) -> str | None:
        """The name that a known model has for a parameter now, or None when no model has it."""
        for root in self.roots:
            module = root.module()
            for path, parameter in () if module is None else module.named_parameters():
                if parameter is tensor:
                    return joined(root.name, path)
        return None

    def add_root(self, module: nn.Module, name: str) -> Root | None:
        """Learn a model with all its modules; None when there are too many models already."""
        if len(self.roots) >= MAX_ROOTS:
            known = self._refused.get(id(module))
            if known is None or known() is not module:
                self._refused[id(module)] = weakref.ref(module)
                self.refused += 1
            return None
        code = getattr(type(module).forward, "__code__", None)
        names = tuple(code.co_varnames[1 : code.co_argcount]) if code is not None else ()
        root = Root(name, weakref.ref(module), names)
        self.roots.append(root)
        for path, child in module.named_modules():
            if self.module(child) is None:
                self.add_module(child, joined(name, path), root)
        return root

    def add_module(self, module: nn.Module, path: str, root: Root) -> Known:
        """Learn one module at `path`."""
        known = Known(weakref.ref(module), path, root, is_leaf(module))
        self._modules[id(module)] = known
        return known

    def add_parameter(self, tensor: torch.Tensor, name: str, probe: Probe) -> Parameter:
        """Learn one parameter."""
        known = Parameter(name, weakref.ref(tensor), probe)
        self._parameters[id(tensor)] = known
        return known


def joined(*parts: str) -> str:
    """Module paths joined by dots, empty ones left out."""
    return ".".join(part for part in parts if part)


def is_leaf(module: nn.Module) -> bool:
    """Whether calls of the module are one node.

    A layer is a module without children whose class comes with a library: its inside is nothing that the user wrote.
    A module class of the user's own is looked into, also without children. Attention of torch counts as one layer.
    """
    if isinstance(module, (nn.MultiheadAttention, torch.jit.ScriptModule)):
        return True
    if any(True for _ in module.children()):
        return False
    if isinstance(module, _CONTAINERS):
        return isinstance(module, nn.Sequential)  # an empty one is an identity
    code = getattr(type(module).forward, "__code__", None)
    return code is None or is_library(code.co_filename)


def is_lazy(tensor: torch.Tensor) -> bool:
    """Whether a parameter has no shape before the first forward pass (`nn.LazyLinear`)."""
    return isinstance(tensor, (UninitializedParameter, UninitializedBuffer))


def is_compiled(module: nn.Module) -> str | None:
    """Why a compiled module runs as one node; None when it is not compiled."""
    own = module.__dict__.get("_compiled_call_impl")
    # By name: asking for the class itself would import the compiler, which takes seconds.
    if type(module).__name__ == "OptimizedModule" or getattr(own, "compiled", own is not None):
        return "it is compiled with torch.compile, so the layers inside are not called one by one"
    return None


def fused_in_eval(module: nn.Module) -> str | None:
    """Why an evaluation call of a torch transformer runs as one node; None when it does not."""
    if not isinstance(module, _FUSED_IN_EVAL) or module.training:
        return None
    if torch.is_grad_enabled() and any(parameter.requires_grad for parameter in module.parameters()):
        return None
    return "PyTorch runs it as one fused kernel in evaluation mode"
