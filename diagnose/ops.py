"""Names of operations, so that rules need not know from which framework a node came."""

from collections.abc import Mapping
from typing import Any, Final

from hypocenter.ir.graph import Layer

#: Op types of the IR (lower case) that rules know under a shorter or a common name.
_ALIASES: Final[Mapping[str, str]] = {
    "addbmm": "matmul",
    "addmm": "matmul",
    "addmv": "matmul",
    "baddbmm": "matmul",
    "bceloss": "bce",
    "concat": "cat",
    "clip": "clamp",
    "crossentropyloss": "crossentropy",
    "ctcloss": "ctc",
    "einsum": "matmul",
    "gemm": "linear",
    "kldivloss": "kldiv",
    "mseloss": "mse",
    "multiheadattention": "attention",
    "nllloss": "nll",
    "pairwisedistance": "dist",
    "reducelogsumexp": "logsumexp",
    "reducemax": "max",
    "reducemean": "mean",
    "reducemin": "min",
    "reduceprod": "prod",
    "reducesum": "sum",
    "rmatmul": "matmul",
    "stdmean": "std",
    "varmean": "var",
}


def op(node: Layer | None) -> str:
    """The name of a node's operation, in lower case without underscores: `log`, `div`, `softmax`, `linear`."""
    if node is None:
        return ""
    plain = node.op_type.lower().replace("_", "")
    return _ALIASES.get(plain, plain)


def scalar(node: Layer, *names: str) -> float | None:
    """The number among a node's attributes: by one of `names`, else the first positional one."""
    for name in names:
        value = node.attributes.get(name)
        if _is_number(value):
            return float(value)  # type: ignore[arg-type]  # _is_number has looked
    positional = [value for value in node.attributes.get("args", ()) if _is_number(value)]
    return float(positional[0]) if positional else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
