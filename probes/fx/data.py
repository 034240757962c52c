"""Watches the user's own preparation of data for the operation that makes NaN or infinities of finite numbers."""

from types import CodeType, FrameType

import torch

from hypocenter.ir.frames import call_sites, with_snippet
from hypocenter.kernels import Kernels
from hypocenter.probes.fx.tensors import FLOATING, as_array, plain
from hypocenter.probes.recorder import Recorder

#: Functions that can give NaN or an infinity for finite numbers, or bring them in from outside of PyTorch.
SUSPECTS = frozenset(
    (
        "div", "div_", "true_divide", "__truediv__", "__itruediv__", "__rtruediv__", "__rdiv__", "reciprocal", "log",
        "log_", "log2", "log10", "log1p", "sqrt", "sqrt_", "rsqrt", "pow", "__pow__", "__rpow__", "exp", "exp_",
        "expm1", "std", "var", "mean", "logit", "acos", "asin", "atanh", "acosh", "normalize", "as_tensor",
        "from_numpy", "tensor",
    )
)  # fmt: skip

#: Looks at one place, and elements read there in all: preparing data must not become slow.
LOOKS, ELEMENTS = 64, 1 << 26
#: Places that are told.
TOLD = 32


class DataWatch:
    """Looks at suspect functions outside of models whose data comes from no model.

    Args:
        recorder: Takes one `nonfinite_data` event per place: `op`, `site`, `nonfinite`, `count`, `shape`.
        kernels: Count values that are not finite.
    """

    def __init__(self, recorder: Recorder, kernels: Kernels) -> None:
        self._recorder = recorder
        self._kernels = kernels
        self._seen: dict[tuple[int, int], tuple[CodeType, int, int]] = {}  # place to looks and elements so far
        self._told: set[tuple[int, int]] = set()

    def look(self, name: str, inputs: list[torch.Tensor], outputs: tuple[torch.Tensor, ...], caller: FrameType) -> None:
        """Look at one call."""
        if name not in SUSPECTS or not outputs or not _readable(outputs[0]):
            return
        out = outputs[0]
        place = (id(caller.f_code), caller.f_lasti)
        _, looks, elements = self._seen.get(place, (None, 0, 0))
        if looks >= LOOKS or elements + out.numel() > ELEMENTS or place in self._told or len(self._told) >= TOLD:
            return
        self._seen[place] = (caller.f_code, looks + 1, elements + out.numel())
        bad = self._bad(out)
        if not bad or any(self._bad(tensor) for tensor in inputs if tensor is not out and _readable(tensor)):
            return
        self._told.add(place)
        call, user = call_sites(caller)
        site = user or call
        self._recorder.event(
            "nonfinite_data",
            op=name.strip("_"),
            site=None if site is None else with_snippet(site.with_role("data")).to_dict(),
            nonfinite=bad,
            count=out.numel(),
            shape=list(out.shape),
        )

    def _bad(self, tensor: torch.Tensor) -> int:
        return self._kernels.nonfinite(as_array(tensor), "bfloat16" if tensor.dtype is torch.bfloat16 else None)


def _readable(tensor: torch.Tensor) -> bool:
    return tensor.dtype in FLOATING and plain(tensor) and tensor.is_cpu and tensor.numel() > 0
