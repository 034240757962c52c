"""Which rules there are: code -> "module:Class", found by file name and imported only when asked for."""

import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final

from hypocenter.diagnose import rules
from hypocenter.diagnose.rule import Rule
from hypocenter.errors import BadInputError

_FILE: Final = re.compile(r"hc(?P<number>\d{3})_(?P<name>[a-z0-9_]+)")


def targets_of(modules: Mapping[str, str]) -> dict[str, str]:
    """Maps each code to "module:Class".

    Args:
        modules: Module name (last part) -> full module name; names that are no rule file's are passed over.

    Raises:
        ValueError: Two modules claim the same code.
    """
    found: dict[str, str] = {}
    for stem, module in sorted(modules.items()):
        match = _FILE.fullmatch(stem)
        if match is None:
            continue
        code = f"HC{match['number']}"
        if code in found:
            raise ValueError(
                f"{code} is claimed by both {found[code]!r} and {module!r}: give one of them another number"
            )
        found[code] = f"{module}:{''.join(part.capitalize() for part in match['name'].split('_'))}"
    return found


@cache
def targets() -> Mapping[str, str]:
    """Code -> "module:Class" of every rule, in the order of codes; nothing is imported."""
    names = (info.name for info in pkgutil.iter_modules(rules.__path__))
    return targets_of({name: f"{rules.__name__}.{name}" for name in names})


@cache
def rule(code: str) -> Rule:
    """The rule of a code.

    Raises:
        BadInputError: There is no such code.
    """
    target = targets().get(code.upper())
    if target is None:
        near = ", ".join(known for known in targets() if known[:3] == code[:3].upper()) or ", ".join(targets())
        raise BadInputError(f"There is no rule {code!r}; there are {near}.", slug="no-such-rule")
    module, name = target.split(":")
    found: Rule = getattr(import_module(module), name)()
    if found.code != code.upper():
        raise ValueError(f"{target} says that its code is {found.code!r}; its file name says {code!r}")
    return found


def all_rules() -> list[Rule]:
    """Every rule, in the order of codes."""
    return [rule(code) for code in targets()]
