"""What holds around every test: nothing of hypocenter is left in PyTorch or in the import system."""

import os
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import pytest

# A failure of a probe is recorded and does not end the user's program; in tests it shall fail, also in child processes.
os.environ["HYPOCENTER_STRICT"] = "1"

#: Where functions of ours may stand while a program is watched: module and class, or the module itself.
OWNERS = (
    ("torch.nn.modules.module", "Module"),
    ("torch.optim.optimizer", "Optimizer"),
    ("torch.utils.data.dataloader", "DataLoader"),
    ("torch.utils.data.dataloader", "_BaseDataLoaderIter"),
    ("torch.amp.grad_scaler", "GradScaler"),
    ("torch.autograd", None),
)
#: PyTorch's registries of hooks for the whole process.
REGISTRIES = (
    ("torch.optim.optimizer", "_global_optimizer_pre_hooks"),
    ("torch.optim.optimizer", "_global_optimizer_post_hooks"),
    ("torch.nn.modules.module", "_global_forward_hooks"),
    ("torch.nn.modules.module", "_global_forward_pre_hooks"),
    ("torch.nn.modules.module", "_global_backward_hooks"),
    ("torch.nn.modules.module", "_global_module_registration_hooks"),
)


def leftovers() -> list[str]:
    """What of ours is in the process and should not be, one sentence each. Loads nothing."""
    found = [f"{finder!r} is in sys.meta_path" for finder in sys.meta_path if _ours(type(finder).__module__)]
    if "torch" not in sys.modules:
        return found
    for module, name in OWNERS:
        owner = getattr(sys.modules[module], name) if name else sys.modules[module]
        found += [f"{name or module}.{key} is ours" for key, value in vars(owner).items() if _is_our_function(value)]
    for module, name in REGISTRIES:
        hooks = getattr(sys.modules[module], name).values()
        found += [f"{hook.__qualname__} is in {name}" for hook in hooks if _is_our_function(hook)]
    modes = sys.modules["torch"]._C._len_torch_function_stack()
    if modes:
        found.append(f"{modes} mode(s) on the stack of torch function modes")
    patches = sys.modules.get("hypocenter.probes.fx.patches")
    if patches is not None and patches.active():
        found.append("probes.fx.patches is active")
    return found


def _ours(module: str) -> bool:
    return module.partition(".")[0] == "hypocenter"


def _is_our_function(value: Any) -> bool:
    """By the module that the code came from: wrappers carry the name and module of what they wrap."""
    return isinstance(value, FunctionType) and _ours(value.__globals__.get("__name__", ""))


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails a test that leaves a hook, a patch or a probe behind, or that starts with one."""
    assert leftovers() == [], "before the test"
    yield
    assert leftovers() == [], "after the test"
