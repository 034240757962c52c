"""Values and paths as strict JSON can hold them."""

import math
import numbers
import os
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any


def json_ready(value: Any) -> Any:
    """The value with only dict, list, str, int, finite float, bool and None in it.

    JSON has no NaN and no infinity: they become the strings `"nan"`, `"inf"` and `"-inf"`. numpy scalars become
    numbers, arrays and other iterables lists, keys strings; anything else its `repr`. A text that no encoding can
    hold (a lone surrogate, as in a badly named file) gets backslash escapes.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | PurePath):
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {json_ready(str(key)): json_ready(item) for key, item in value.items()}
    if getattr(value, "shape", None) == ():
        return json_ready(value.item())  # a numpy scalar or 0-d array; `item` gives the Python value
    if isinstance(value, numbers.Real):
        return _number(value)
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return [json_ready(item) for item in value]
    return json_ready(repr(value))


def _number(value: numbers.Real) -> int | float | str:
    if isinstance(value, numbers.Integral):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else repr(number)


def shown_path(file: str) -> str:
    """The path relative to the working directory, with `/`, when it lies below it; else as it is."""
    if not os.path.isabs(file):  # noqa: PTH117  # strings in, strings out: `<stdin>` and the like are no paths
        return file
    try:
        relative = os.path.relpath(file)
    except (ValueError, OSError):  # another drive, or a working directory that is gone
        return file
    return file if relative.startswith(os.pardir) else relative.replace(os.sep, "/")


def site_dict(site: Mapping[str, Any]) -> dict[str, Any]:
    """The site (or edit) with its file as `shown_path` gives it."""
    return {**site, "file": shown_path(site["file"])}
