"""The source lines around a site, ready to be framed."""

import tokenize
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hypocenter.ir.site import Site

TAB: Final = "    "
#: A site over more lines than this is shown by its first and last ones.
LONGEST: Final = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a frame.

    Args:
        number: From 1; None for lines left out.
        text: Without tabs, control characters and the line end.
        marked: Part of the site.
        span: First column and column after the last, from 0, to underline; None when the columns are not known.
    """

    number: int | None
    text: str
    marked: bool = False
    span: tuple[int, int] | None = None


def printable(text: str) -> str:
    """The text with control characters (terminal escapes among them) and line ends as visible escapes."""
    if text.isprintable():
        return text
    unsafe = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join(c if unicodedata.category(c) not in unsafe else ascii(c)[1:-1] for c in text)


def frame(site: Site, context: int = 2) -> list[Line]:
    """The lines of the site with `context` lines on either side.

    When the file is gone, or its line is no longer the one that was recorded, only the recorded snippet; when
    there is none either, nothing.
    """
    lines = _file_lines(site.file)
    recorded = site.snippet
    if not 1 <= site.line <= len(lines) or (recorded is not None and lines[site.line - 1].strip() != recorded.strip()):
        return [_line(site.line, recorded, site)] if recorded else []
    last = min(site.end_line or site.line, len(lines))
    first_shown, last_shown = max(site.line - context, 1), min(last + context, len(lines))
    framed = [_line(number, lines[number - 1], site) for number in range(first_shown, last_shown + 1)]
    return _shortened(_trimmed(framed))


def source_line(file: str, line: int) -> str | None:
    """One line of a file as it is now, or None."""
    lines = _file_lines(file)
    return lines[line - 1] if 1 <= line <= len(lines) else None


@lru_cache(maxsize=64)
def _file_lines(file: str) -> tuple[str, ...]:
    try:
        with tokenize.open(file) as source:
            return tuple(source.read().splitlines())
    except (OSError, SyntaxError, ValueError):  # gone, undecodable, or no file at all (`<stdin>`): the snippet serves
        return ()


def _line(number: int, raw: str, site: Site) -> Line:
    text, columns = _expanded(raw.rstrip())
    last = site.end_line or site.line
    marked = site.line <= number <= last
    if not marked or site.column is None or not text.strip():
        return Line(number, text, marked)
    indent = len(text) - len(text.lstrip())
    start = columns(site.column - 1) if number == site.line else indent
    end = columns(site.end_column - 1) if number == last and site.end_column is not None else len(text)
    start = min(start, len(text) - 1)
    return Line(number, text, marked, (start, max(end, start + 1)))


class _Columns:
    """Where each character of a raw line begins in the shown text."""

    def __init__(self, starts: list[int]) -> None:
        self.starts = starts

    def __call__(self, column: int) -> int:
        return self.starts[min(column, len(self.starts) - 1)]


def _expanded(raw: str) -> tuple[str, _Columns]:
    shown, starts = [], [0]
    for character in raw:
        shown.append(TAB if character == "\t" else printable(character))
        starts.append(starts[-1] + len(shown[-1]))
    return "".join(shown), _Columns(starts)


def _trimmed(lines: list[Line]) -> list[Line]:
    """Without blank context at the ends."""
    kept = list(lines)
    while kept and not kept[0].marked and not kept[0].text.strip():
        kept.pop(0)
    while kept and not kept[-1].marked and not kept[-1].text.strip():
        kept.pop()
    return kept


def _shortened(lines: list[Line]) -> list[Line]:
    """With the middle of a long site left out."""
    marked = [i for i, line in enumerate(lines) if line.marked]
    if len(marked) <= LONGEST:
        return lines
    half = LONGEST // 2
    return [*lines[: marked[half]], Line(None, "...", marked=True), *lines[marked[-half] :]]
