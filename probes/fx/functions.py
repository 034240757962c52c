"""Which functions of PyTorch's API make a node."""

import math
from collections.abc import Callable
from typing import Any

#: Attributes of a tensor that give a tensor with (a view of) the same values.
_VIEW_ATTRIBUTES = frozenset(("data", "T", "mT", "H", "mH", "real"))

#: Calls that return a tensor but compute nothing of it.
_SILENT = frozenset(
    (
        "requires_grad_", "retain_grad", "share_memory_", "pin_memory", "rename_", "register_hook", "backward",
        "__deepcopy__", "__reduce_ex__", "__format__", "__repr__", "set_", "as_subclass", "zeros_like", "ones_like",
        "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones", "new_empty", "new_full",
        "new_tensor", "is_nonzero", "_set_grad_enabled",
    )
)  # fmt: skip


def function_name(func: Callable[..., Any]) -> str | None:
    """The name under which the op table knows `func`; None when its calls are never nodes."""
    name: str = getattr(func, "__name__", "") or ""
    if name == "__get__":
        attribute = getattr(getattr(func, "__self__", None), "__name__", "")
        return attribute if attribute in _VIEW_ATTRIBUTES else None
    if not name or name in ("__set__", "__delete__") or name in _SILENT or name.startswith("_has_"):
        return None
    return name


def in_place(name: str, kwargs: dict[str, Any] | None) -> bool:
    """Whether a call of this name that returned one of its own arguments has changed it."""
    if name.startswith("__i") and name.endswith("__"):
        return True
    if name.endswith("_") and not name.endswith("__"):
        return True
    return bool(kwargs and kwargs.get("inplace"))


def constants(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a function call that are plain values, JSON-ready: `{"args": [...], "dim": 1}`."""
    found: dict[str, Any] = {}
    positional = [value for value in args if _plain(value)]
    if positional:
        found["args"] = [_ready(value) for value in positional]
    found |= {name: _ready(value) for name, value in kwargs.items() if _plain(value)}
    return found


def configuration(module: Any) -> dict[str, Any]:
    """The plain public attributes of a layer, such as `in_features`, `p` or `eps`."""
    fields = vars(module).items()
    return {name: _ready(value) for name, value in fields if name[0] != "_" and name != "training" and _plain(value)}


def _plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, (bool, int, float, str)):
        return True
    if isinstance(value, (tuple, list)) and depth < 2 and len(value) <= 16:
        return all(_plain(item, depth + 1) for item in value)
    return False


def _ready(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return [_ready(item) for item in value] if isinstance(value, (tuple, list)) else value
