"""The op table: from a framework's name of an operation to what is known of it.

    >>> spec("relu_").op_type, spec("__radd__").op_type, spec("Conv2d").kind
    ('Relu', 'Add', 'layer')

Names are those of torch functions, tensor methods and `torch.nn` classes. In-place spellings (`add_`), operators
(`__add__`, `__iadd__`), private twins (`_max_pool2d`), dotted paths (`torch.nn.functional.relu`) and the prefixes
of torch's namespaces (`special_expit`, `linalg_vector_norm`) mean the same as the plain name. Reversed operators
mean the same only where the operation commutes: `__rsub__` is `RSub`.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from hypocenter.ir.ops_layers import layer_rows
from hypocenter.ir.ops_tensor import tensor_rows
from hypocenter.ir.opspec import OpSpec

__all__ = ["OpSpec", "spec", "table"]

_OPERATORS: Final = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "div": "div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift", "neg": "neg",
    "pos": "positive", "abs": "abs", "invert": "bitwise_not", "eq": "eq", "ne": "ne", "lt": "lt", "le": "le",
    "gt": "gt", "ge": "ge", "getitem": "getitem", "setitem": "setitem",
}  # fmt: skip
_COMMUTING: Final = frozenset({"add", "mul", "bitwise_and", "bitwise_or", "bitwise_xor"})


@cache
def table() -> Mapping[str, OpSpec]:
    """Every row by plain name. A name in two rows is an error of the table."""
    found: dict[str, OpSpec] = {}
    for row, names in (*layer_rows(), *tensor_rows()):
        for name in names.split():
            if name in found:
                raise ValueError(f"the op table has two rows for {name!r}")
            found[name] = row
    return MappingProxyType(found)


@lru_cache(maxsize=4096)
def spec(name: str) -> OpSpec:
    """What is known of the operation; an unknown one is `OpSpec(name, "torch", "other")` without bounds."""
    plain = plain_name(name)
    return table().get(plain) or OpSpec(plain)


def plain_name(name: str) -> str:
    """The name under which the table has an operation: without path, in-place mark and operator spelling."""
    name = name.rpartition(".")[2].removeprefix("special_").removeprefix("linalg_")
    if name.startswith("__") and name.endswith("__"):
        return _operator_name(name[2:-2]) or name
    candidates = (name, name.removesuffix("_"), name.removeprefix("_"), name.strip("_"))
    return next((candidate for candidate in candidates if candidate in table()), name)


def _operator_name(word: str) -> str | None:
    if word in _OPERATORS:
        return _OPERATORS[word]
    base = _OPERATORS.get(word[1:])
    if base is None or word[0] not in "ir":
        return None
    return base if word[0] == "i" or base in _COMMUTING else f"r{base}"
