"""The options of a diagnosis: one frozen dataclass, from which the command line and the configuration file derive."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, Self

from hypocenter.errors import BadInputError

FailOn = Literal["error", "warning", "never"]
StopOn = Literal["error", "never"]

FORMATS: Final = ("text", "json", "sarif", "junit", "github", "html")
_CODE: Final = re.compile(r"HC[0-9]{1,3}")


def _cli(
    flags: str,
    text: str,
    *,
    choices: tuple[str, ...] = (),
    commands: tuple[str, ...] = ("run", "check", "report"),
    metavar: str | None = None,
) -> dict[str, Any]:
    """What the command-line option of a field looks like."""
    return {"flags": flags.split(), "help": text, "choices": choices, "commands": commands, "metavar": metavar}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to watch, what to report, where to, and when to fail. Every field is checked when the object is made.

    Each field is a command-line option and a key of `[tool.hypocenter]` in `pyproject.toml` (with `-` for `_`).

    Args:
        format: Names of the report formats, in order of output.
        output: File for the report that is not text, or for the only report.
        fail_on: Lowest severity of a finding that makes the exit code 1.
        select: Rule codes or their beginnings (`HC3`) to run; empty means all.
        ignore: Rule codes or their beginnings not to run; wins over `select`.
        baseline: A former JSON report; its findings are counted, not reported.
        budget: Probe time that is acceptable, in percent of the rest of the run; None means any.
        every: Probe every so many training steps.
        stop_on: End the script at the first finding of this severity.
        quiet: One line per error or warning, and nothing at all when there is none.

    Raises:
        BadInputError: A value of the wrong type or out of range.
    """

    format: tuple[str, ...] = field(
        default=("text",), metadata=_cli("--format", "Format of the report; repeatable.", choices=FORMATS)
    )
    output: Path | None = field(
        default=None, metadata=_cli("-o --output", "Write the report to this file.", metavar="FILE")
    )
    fail_on: FailOn = field(
        default="error",
        metadata=_cli("--fail-on", "Exit with 1 from this severity on.", choices=("error", "warning", "never")),
    )
    select: tuple[str, ...] = field(
        default=(), metadata=_cli("--select", "Only these rules, such as HC301,HC1.", metavar="CODES")
    )
    ignore: tuple[str, ...] = field(default=(), metadata=_cli("--ignore", "Not these rules.", metavar="CODES"))
    baseline: Path | None = field(
        default=None,
        metadata=_cli("--baseline", "Do not report what this former JSON report has.", metavar="FILE"),
    )
    budget: float | None = field(
        default=None,
        metadata=_cli("--budget", "Acceptable cost of the probes.", commands=("run",), metavar="PERCENT"),
    )
    every: int = field(
        default=1, metadata=_cli("--every", "Probe every N training steps.", commands=("run",), metavar="N")
    )
    stop_on: StopOn = field(
        default="never",
        metadata=_cli(
            "--stop-on", "End the script at the first such finding.", choices=("error", "never"), commands=("run",)
        ),
    )
    quiet: bool = field(default=False, metadata=_cli("--quiet", "One line per error or warning, nothing else."))

    def __post_init__(self) -> None:
        for known in fields(self):
            object.__setattr__(self, known.name, _CHECKS[known.name](known.name, getattr(self, known.name)))

    @classmethod
    def load(cls, folder: Path, overrides: Mapping[str, Any]) -> Self:
        """The settings of the nearest `pyproject.toml` at or above `folder`, replaced where `overrides` has a value.

        Raises:
            BadInputError: The file is not TOML, or has an unknown key or a bad value.
        """
        path = _nearest(folder)
        settings = {} if path is None else _settings(path)
        try:
            cls(**settings)
        except BadInputError as error:
            raise BadInputError(f"{str(path)!r}: {error}", slug=error.slug) from None
        return cls(**{**settings, **overrides})


def _nearest(folder: Path) -> Path | None:
    start = folder.resolve()
    return next((path for at in (start, *start.parents) if (path := at / "pyproject.toml").is_file()), None)


def _settings(path: Path) -> dict[str, Any]:
    """The table `[tool.hypocenter]`, its keys as field names and its paths relative to the file that states them."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("hypocenter", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"{str(path)!r} cannot be read as TOML: {error}", slug="config-unreadable") from error
    if not isinstance(table, dict):
        raise BadInputError(f"{str(path)!r}: [tool.hypocenter] must be a table, not {table!r}", slug="config-value")
    known = {f.name.replace("_", "-"): f.name for f in fields(Options)}
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise BadInputError(f"{str(path)!r}: unknown key {key!r} in [tool.hypocenter]{hint}", slug="config-key")
        in_file = known[key] in ("output", "baseline") and isinstance(value, str)
        settings[known[key]] = path.parent / value if in_file else value
    return settings


def _bad(name: str, value: object, wanted: str) -> BadInputError:
    return BadInputError(f"{name.replace('_', '-')} must be {wanted}, not {value!r}", slug="config-value")


def _words(name: str, value: object) -> tuple[str, ...]:
    """Strings from a list of strings, each of which may hold several with commas between."""
    parts = (value,) if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise _bad(name, value, "a list of strings")
    return tuple(word.strip() for part in parts for word in part.split(",") if word.strip())


def _formats(name: str, value: object) -> tuple[str, ...]:
    words = _words(name, value)
    unknown = [word for word in words if word not in FORMATS]
    if unknown or not words:
        raise _bad(name, unknown[0] if unknown else value, f"one of {', '.join(FORMATS)}")
    return tuple(dict.fromkeys(words))


def _codes(name: str, value: object) -> tuple[str, ...]:
    words = tuple(word.upper() for word in _words(name, value))
    for word in words:
        if not _CODE.fullmatch(word):
            raise _bad(name, word, "rule codes such as 'HC301' or 'HC3'")
    return words


def _path(name: str, value: object) -> Path | None:
    if value is None or isinstance(value, Path):
        return value
    if isinstance(value, str) and value:
        return Path(value)
    raise _bad(name, value, "a path")


def _choice(name: str, value: object) -> object:
    choices = Options.__dataclass_fields__[name].metadata["choices"]
    if value not in choices:
        raise _bad(name, value, f"one of {', '.join(choices)}")
    return value


def _percent(name: str, value: object) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):  # type: ignore[operator]  # `number` narrows, mypy cannot see it
        raise _bad(name, value, "a percentage above 0")
    return float(value)  # type: ignore[arg-type]  # checked above


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _bad(name, value, "a whole number from 1")
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _bad(name, value, "true or false")
    return value


_CHECKS: Final[Mapping[str, Any]] = {
    "format": _formats,
    "output": _path,
    "fail_on": _choice,
    "select": _codes,
    "ignore": _codes,
    "baseline": _path,
    "budget": _percent,
    "every": _count,
    "stop_on": _choice,
    "quiet": _flag,
}
