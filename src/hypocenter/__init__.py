"""hypocenter finds where a neural network's training goes wrong.

`import hypocenter` is light: what does the work, and the frameworks, are loaded at first use.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from hypocenter._version import __version__

if TYPE_CHECKING:
    from hypocenter.report.model import Report
    from hypocenter.session import check, diagnose, instrument, lower, strip

__all__ = ["Report", "__version__", "check", "diagnose", "instrument", "lower", "strip"]

_HOMES: Final = {
    "Report": "hypocenter.report.model",
    "check": "hypocenter.session",
    "instrument": "hypocenter.session",
    "strip": "hypocenter.session",
}

#: Functions that share their name with a subpackage: the subpackage is made callable, so that
#: `hypocenter.diagnose(model)` and `import hypocenter.diagnose.finding` both work in any order.
_VERBS: Final = ("diagnose", "lower")


class _Verb(ModuleType):
    """A subpackage that can be called: the function of its name in `hypocenter.session`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _function(self)(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(_function(self))


def _function(verb: ModuleType) -> Any:
    return getattr(import_module("hypocenter.session"), verb.__name__.rpartition(".")[2])


class _Face(ModuleType):
    """This module: makes the subpackages in `_VERBS` callable at the moment the import system binds them."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _VERBS and isinstance(value, ModuleType):
            value.__class__ = _Verb
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Face
