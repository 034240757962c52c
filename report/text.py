"""The report for reading in a terminal: each finding with its code frame, evidence and fix."""

import io
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from hypocenter.diagnose.finding import Finding
from hypocenter.report import words
from hypocenter.report.encode import shown_path
from hypocenter.report.model import Report
from hypocenter.report.renderers import WIDTH, Surface
from hypocenter.report.source import Line, frame, printable

_STYLE: Final = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}
_VERDICT: Final = {"faulty": "bold red", "suspect": "bold yellow", "healthy": "bold green", "undecided": "bold magenta"}
_DIM: Final = "blue"
_INDENT: Final = "  "


class TextRenderer:
    """Headline, findings, footer. With `quiet` one line per error or warning, in the form compilers use."""

    def render(self, report: Report, surface: Surface) -> str:
        """The text; empty when quiet and healthy, one sentence when there was nothing to judge."""
        nothing = report.verdict == "undecided" and not report.findings and not report.coverage.layers
        return draw(_brief(report) if surface.quiet or nothing else Page(surface).report(report), surface)


def _brief(report: Report) -> Iterable[Text]:
    if report.verdict == "undecided":
        yield Text(f"hypocenter: {words.headline(report)}")
    for finding in report.failing("warning"):
        where = words.place(finding.location) if finding.location else shown_path(report.program.path)
        yield Text.assemble(
            f"{where}: ",
            (finding.severity, _STYLE[finding.severity]),
            f" {finding.rule} {finding.name}: {printable(finding.message)}",
        )


def draw(lines: Iterable[Text], surface: Surface) -> str:
    """The styled lines as text, with terminal escapes only where the surface has colour; nothing is wrapped."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=surface.width,
        force_terminal=surface.color,
        color_system="standard" if surface.color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return out.getvalue()


class Page:
    """Builds the lines of a report for one surface."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        self.width = min(surface.width, WIDTH)
        self.bar, self.dot, self.dash = ("│", "·", "─") if surface.unicode else ("|", "-", "-")

    def report(self, report: Report) -> Iterable[Text]:
        """Every line, from the rule that sets the report off from the script's output to the footer."""
        yield Text(f"{self.dash * 2} hypocenter ".ljust(self.width, self.dash), _DIM)
        yield from self.wrapped(words.headline(report), "", style=_VERDICT[report.verdict])
        for finding in report.findings:
            yield Text()
            yield from self.finding(finding)
        yield Text()
        yield from self.table(words.footer(report), "", style="dim")

    def finding(self, finding: Finding) -> Iterable[Text]:
        """Title, message, code frame, evidence, consequences, fix and related places."""
        style = _STYLE[finding.severity]
        yield Text.assemble(
            (f"{finding.severity}[{finding.rule}]", style),
            (f" {finding.name}", "bold"),
            f" {self.dot} {words.title(finding)}",
        )
        yield from self.wrapped(printable(finding.message), _INDENT)
        if finding.location is not None:
            yield from self.frame(finding, style)
        yield from self.table(words.evidence(finding), f"{_INDENT}= ")
        for line in words.consequences(finding):
            yield from self.wrapped(f"explains {line}", _INDENT, hanging=_INDENT)
        yield from self.fix(finding)
        for site in finding.related[: words.MANY]:
            yield Text(f"{_INDENT}see {words.related(site)}")

    def frame(self, finding: Finding, style: str) -> Iterable[Text]:
        """The place and the source around it, the span underlined."""
        if finding.location is None:
            return
        lines = frame(finding.location)
        gutter = max((len(str(line.number)) for line in lines), default=1)
        if self.surface.terminal:
            lines = self.scrolled(lines, self.surface.width - gutter - len(f"{_INDENT} {self.bar} "))
        yield Text.assemble((f"{_INDENT}{'':{gutter}}--> ", _DIM), words.place(finding.location))
        spans = [line for line in lines if line.span is not None]
        for line in lines:
            yield self.code(line, gutter, style)
            if line.span is not None:
                yield self.underline(line, gutter, style, words.label(finding) if line is spans[-1] else "")

    def scrolled(self, lines: list[Line], room: int) -> list[Line]:
        """The lines without so much of their beginnings that `room` columns hold the spans, or else their starts."""
        spans = [line.span for line in lines if line.span is not None]
        first = min((start for start, _ in spans), default=0)
        left = min(first - 1, max((end for _, end in spans), default=0) - room + 1)
        if left < 2:  # nothing is won: the mark that something is left out takes a column too
            return lines
        mark = "…" if self.surface.unicode else "<"
        return [
            replace(
                line,
                text=f"{mark}{line.text[left:]}" if line.text else "",
                span=line.span and (line.span[0] - left + 1, line.span[1] - left + 1),
            )
            for line in lines
        ]

    def code(self, line: Line, gutter: int, style: str) -> Text:
        """Line number and code; a marked line whose columns are not known gets a `>`."""
        number = "" if line.number is None else str(line.number)
        whole = line.marked and line.span is None
        text = Syntax("", "python", theme="ansi_dark").highlight(line.text) if self.surface.color else Text(line.text)
        text.rstrip()
        head = Text.assemble((f"{_INDENT}{number:>{gutter}} {self.bar}", _DIM), (">" if whole else " ", style))
        shown = Text.assemble(head, text)
        if self.surface.terminal:
            shown.truncate(self.surface.width, overflow="ellipsis" if self.surface.unicode else "crop")
        shown.rstrip()
        return shown

    def underline(self, line: Line, gutter: int, style: str, label: str) -> Text:
        """Carets under the span, by the columns that the characters take."""
        start, end = line.span or (0, 0)
        before, under = cell_len(line.text[:start]), max(cell_len(line.text[start:end]), 1)
        head = f"{_INDENT}{'':{gutter}} {self.bar} "
        if self.surface.terminal:
            under = max(min(under, self.surface.width - len(head) - before), 1)
        shown = Text.assemble((head, _DIM), " " * before, (f"{'^' * under} {label}".rstrip(), style))
        if self.surface.terminal:
            shown.truncate(self.surface.width, overflow="crop")
        return shown

    def fix(self, finding: Finding) -> Iterable[Text]:
        """What to do and, where it is known, the line as it is and as it should be."""
        if finding.fix is None:
            return
        yield from self.wrapped(
            f"fix: {printable(finding.fix.text)}", _INDENT, hanging="     ", style="bold green", lead=4
        )
        edit = finding.fix.edit
        if edit is None:
            return
        old, new = words.edit_lines(edit)
        same_line = finding.location is not None and (finding.location.file, finding.location.line) == (
            edit.file,
            edit.line,
        )
        if not same_line:
            yield Text(f"{_INDENT}     {shown_path(edit.file)}:{edit.line}")
        yield Text(f"{_INDENT}   - {old}", "red")
        yield Text(f"{_INDENT}   + {new}", "green")

    def wrapped(self, text: str, indent: str, *, hanging: str = "", style: str = "", lead: int = 0) -> Iterable[Text]:
        """A paragraph; `lead` limits the style to so many characters of its beginning."""
        width = max(self.width, len(indent) + len(hanging) + 20)
        lines = textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=indent + hanging,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        for position, line in enumerate(lines):
            shown = Text(line)
            if style and not (lead and position):
                shown.stylize(style, len(indent), len(indent) + lead if lead else None)
            yield shown

    def table(self, rows: list[tuple[str, str]], indent: str, style: str = "") -> Iterable[Text]:
        """Aligned `name  value` lines; a name that repeats is written once."""
        widest = max((cell_len(name) for name, _ in rows), default=0)
        previous = None
        for name, value in rows:
            shown = "" if name == previous else name
            previous = name
            head = f"{indent}{shown}{' ' * (widest - cell_len(shown))}  "
            room = max(self.width - cell_len(head), 20)
            parts = textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False) or [""]
            yield Text.assemble((head, style), parts[0])
            for part in parts[1:]:
                yield Text(" " * cell_len(head) + part)
