"""The forms a report can take: one Protocol, one registry, imported on demand."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, Self, TextIO

from hypocenter.errors import BadInputError, StorageError
from hypocenter.report.model import Report

#: Width where there is no terminal to ask, and the widest that prose is set.
WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Surface:
    """What a report is written on.

    Args:
        width: Columns.
        terminal: True to cut code lines at the width; a file keeps them whole.
        color: True for colours and highlighted code.
        unicode: True when arrows and lines can be written; else ASCII.
        quiet: One line per error or warning.
    """

    width: int = WIDTH
    terminal: bool = False
    color: bool = False
    unicode: bool = True
    quiet: bool = False

    @classmethod
    def of(cls, stream: TextIO, *, quiet: bool = False) -> Self:
        """The surface that a stream is: colour only on a terminal, and never with `NO_COLOR` or `TERM=dumb`."""
        terminal = not _closed(stream) and stream.isatty()
        color = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(_width(stream, terminal), terminal, color, _encodes(stream, "─│·"), quiet)


class Renderer(Protocol):
    """Makes a text of a report."""

    def render(self, report: Report, surface: Surface) -> str:
        """The report in this form, ending in a line end (or empty)."""
        ...


TARGETS: Final[Mapping[str, str]] = {
    "text": "hypocenter.report.text:TextRenderer",
    "json": "hypocenter.report.json:JsonRenderer",
    "html": "hypocenter.report.html:HtmlRenderer",
    "github": "hypocenter.report.github:GithubRenderer",
    "sarif": "hypocenter.report.sarif:SarifRenderer",
    "junit": "hypocenter.report.junit:JunitRenderer",
}


def renderer(name: str) -> Renderer:
    """The renderer of a format.

    Raises:
        BadInputError: There is no such format.
    """
    if name not in TARGETS:
        raise BadInputError(f"there is no report format {name!r}; there are {', '.join(TARGETS)}", slug="no-format")
    module, made = TARGETS[name].split(":")
    found: Renderer = getattr(import_module(module), made)()
    return found


def to_text(report: Report) -> str:
    """The report as plain text."""
    return renderer("text").render(report, Surface())


def write(text: str, stream: TextIO) -> None:
    """Write what the stream's encoding can hold, and backslash escapes for the rest.

    Raises:
        BrokenPipeError: The reader left.
        StorageError: The stream is closed, or what is behind it takes no more.
    """
    if _closed(stream):
        raise StorageError("the report cannot be shown: the output is closed", slug="output-stream")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"the report cannot be shown: {error.strerror}", slug="output-stream") from error


def save(text: str, path: Path) -> None:
    """Write a file; a new one that could only be written in part is removed.

    Raises:
        StorageError: The file system refused.
    """
    existed = path.exists()
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        if not existed:
            with suppress(OSError):  # gone with its folder
                path.unlink(missing_ok=True)
        message = f"the report cannot be written to {str(path)!r}: {error.strerror}"
        raise StorageError(message, slug="output-file") from error


def _closed(stream: TextIO | None) -> bool:
    """Closed by the program, or, None, by whoever started the process."""
    return stream is None or getattr(stream, "closed", False)


def _width(stream: TextIO, terminal: bool) -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return max(int(given), 20)
    if not terminal:
        return WIDTH
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or WIDTH, 20)  # some report 0
    except (OSError, ValueError):  # a terminal by its word only
        return WIDTH


def _encodes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True
