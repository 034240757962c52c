"""Finding the tensors in what layers take and return, and reading them without touching them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hypocenter.ir.layer import Shape

#: Nesting deeper than this is not searched: cyclic user structures end here.
MAX_DEPTH = 6

FLOATING = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))


def tensors_in(value: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """All tensors in nested tuples, lists, mappings and dataclasses, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth >= MAX_DEPTH or value is None or isinstance(value, (str, bytes, int, float)):
        return
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item, depth + 1)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item, depth + 1)
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from tensors_in(getattr(value, item.name, None), depth + 1)


def named_tensors(args: tuple[Any, ...], kwargs: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[
    tuple[str, torch.Tensor]
]:  # fmt: skip
    """The tensors among call arguments, each under its parameter's name (`x`, or `x.1` within a structure)."""
    labelled = [*zip((*names, *(f"input{i}" for i in range(len(names), len(args)))), args, strict=False)]
    for name, value in (*labelled, *kwargs.items()):
        for i, tensor in enumerate(tensors_in(value)):
            yield (name if i == 0 else f"{name}.{i}"), tensor


def is_variable(tensor: torch.Tensor) -> bool:
    """Whether the tensor is a leaf that wants gradients, as parameters are.

    A view is none, and is not asked: `is_leaf` would rebuild its graph, which raises for views made under `no_grad`.
    """
    return tensor.requires_grad and not tensor._is_view() and tensor.is_leaf


def has_graph(tensor: torch.Tensor) -> bool:
    """Whether a gradient will come by on its way to earlier tensors."""
    return torch.is_grad_enabled() and tensor.requires_grad and not tensor.is_leaf


def dtype_name(tensor: torch.Tensor) -> str:
    """The dtype as the IR spells it, such as `float32`."""
    return str(tensor.dtype).removeprefix("torch.")


def shape_of(tensor: torch.Tensor) -> Shape | None:
    """The shape, with None for sizes that vary within the tensor (nested, symbolic); None where there is no shape."""
    if tensor.is_nested and tensor.layout is torch.strided:
        return None
    sizes: Iterable[Any] = tensor.shape
    return tuple(size if isinstance(size, int) else None for size in sizes)


def plain(tensor: torch.Tensor) -> bool:
    """Whether the tensor's memory can be read as one strided array (not sparse, quantised, nested, fake or mapped)."""
    return (
        tensor.layout is torch.strided
        and type(tensor).__torch_dispatch__ is torch._C._disabled_torch_dispatch_impl
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        and not tensor.is_meta
        and not tensor.is_nested
    )


def as_array(tensor: torch.Tensor) -> NDArray[Any]:
    """The tensor's own memory as a numpy array, without a copy; bfloat16 as its uint16 bits.

    The tensor must be real, on the CPU and `plain`; a lazily negated one is resolved into a copy. The array's `base`
    is a tensor that shares memory and version counter with `tensor`.
    """
    flat = tensor.detach()
    if flat.dtype is torch.bfloat16:
        flat = flat.view(torch.uint16)
    if flat.is_neg():
        flat = flat.resolve_neg()
    return flat.numpy()


def scalar(tensor: torch.Tensor) -> float:
    """The value of a one-element tensor, or the mean of a larger one, as a float; of complex numbers the real part."""
    detached = torch.view_as_real(tensor.detach())[..., 0] if tensor.is_complex() else tensor.detach()
    return float(detached) if detached.numel() == 1 else float(detached.double().mean())


def describe(tensor: torch.Tensor, limit: int = 1 << 20) -> dict[str, Any]:
    """Facts of an input or target for the record: dtype, shape, range, moments, classes, encoding.

    At most the first `limit` elements are read.
    """
    facts: dict[str, Any] = {
        "dtype": dtype_name(tensor),
        "shape": list(shape_of(tensor) or ()),
        "integer": not (tensor.is_floating_point() or tensor.is_complex()),
        "encoding": None,
        "classes": None,
    }
    if tensor.is_complex() or not plain(tensor) or tensor.numel() == 0:
        return facts
    values = tensor.detach().reshape(-1)[:limit].double().cpu().numpy()
    finite = values[np.isfinite(values)]
    if finite.size:
        facts |= {
            "min": float(finite.min()),
            "max": float(finite.max()),
            "mean": float(finite.mean()),
            "std": float(finite.std()),
            "zeros": int((finite == 0).sum()),
        }
    distinct = np.unique(finite)
    whole = bool(distinct.size) and bool((distinct == np.floor(distinct)).all())
    facts["encoding"] = _encoding(tensor, distinct, whole)
    if whole and distinct.size <= 4096:
        facts["classes"] = int(distinct.size)
    return facts


def _encoding(tensor: torch.Tensor, distinct: NDArray[Any], whole: bool) -> str | None:
    binary = whole and distinct.size <= 2 and bool(np.isin(distinct, (0.0, 1.0)).all())
    if binary and tensor.dim() >= 2 and tensor.shape[-1] > 1:
        one = tensor.detach().double().sum(-1)
        if bool((one == 1).all()):
            return "one-hot"
    if binary:
        return "binary"
    if not tensor.is_floating_point():
        return "index"
    return "float"
