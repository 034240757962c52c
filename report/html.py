"""The report as HTML: a fragment for notebooks, a page for browsers. Nothing is loaded, nothing is executed."""

from collections.abc import Iterable
from html import escape
from typing import Final

from hypocenter.diagnose.finding import Finding, Fix
from hypocenter.report import words
from hypocenter.report.encode import shown_path
from hypocenter.report.model import Report
from hypocenter.report.renderers import Surface
from hypocenter.report.source import Line, frame

#: Colours are mixed with the page's own, so that light and dark themes both read well.
_CSS: Final = """
.hypocenter{font:14px/1.45 system-ui,sans-serif;max-width:60em;--bad:#d1242f;--warn:#b07800;--note:#0a7ea4;--good:#1a7f37}
.hypocenter h3{font-size:1.1em;margin:.2em 0 .6em}
.hypocenter .faulty,.hypocenter .error{color:var(--bad)}
.hypocenter .suspect,.hypocenter .warning{color:var(--warn)}
.hypocenter .undecided,.hypocenter .note{color:var(--note)}
.hypocenter .healthy{color:var(--good)}
.hypocenter section{border-left:3px solid rgba(128,128,128,.45);padding:.1em 0 .1em .9em;margin:1em 0}
.hypocenter p{margin:.3em 0}
.hypocenter pre{font:13px/1.5 ui-monospace,monospace;background:rgba(128,128,128,.1);padding:.5em .7em;margin:.5em 0;overflow-x:auto;border-radius:4px}
.hypocenter pre i{opacity:.55;font-style:normal;user-select:none}
.hypocenter mark{background:none;color:inherit;text-decoration:underline wavy var(--bad);text-underline-offset:3px}
.hypocenter del{color:var(--bad);text-decoration:none}
.hypocenter ins{color:var(--good);text-decoration:none}
.hypocenter table{border-collapse:collapse;margin:.4em 0}
.hypocenter td{padding:.05em 1.2em .05em 0;text-align:left;vertical-align:top;border:0;background:none}
.hypocenter td:first-child{opacity:.65;white-space:nowrap}
.hypocenter code{font:13px ui-monospace,monospace}
"""  # noqa: E501  # one rule of the style sheet per line


def fragment(report: Report) -> str:
    """The report in one `<div>` with its own style, everything from the program escaped."""
    parts = [
        f'<div class="hypocenter"><style>{_CSS}</style>',
        f'<h3 class="{report.verdict}">{escape(words.headline(report))}</h3>',
        *map(_finding, report.findings),
        _table(words.footer(report)),
        "</div>",
    ]
    return "\n".join(parts)


class HtmlRenderer:
    """A complete page around the fragment."""

    def render(self, report: Report, surface: Surface) -> str:  # noqa: ARG002  # the browser knows its own width
        """The page."""
        name = escape(f"hypocenter: {words.headline(report)}")
        head = '<meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        top = f"<!doctype html>\n<html><head>{head}<title>{name}</title></head>"
        return f"{top}\n<body>\n{fragment(report)}\n</body></html>\n"


def _finding(finding: Finding) -> str:
    title = f"{escape(finding.name)} &middot; {escape(words.title(finding))}"
    parts = [
        f"<section><p><b class='{finding.severity}'>{finding.severity}[{escape(finding.rule)}]</b> <b>{title}</b></p>",
        f"<p>{escape(finding.message)}</p>",
    ]
    if finding.location is not None:
        parts.append(f"<p><code>{escape(words.place(finding.location))}</code></p>")
        parts.append(_code(frame(finding.location)))
    parts.append(_table(words.evidence(finding)))
    parts += [f"<p>explains {escape(line)}</p>" for line in words.consequences(finding)]
    if finding.fix is not None:
        parts.append(_fix(finding.fix))
    parts += [f"<p>see <code>{escape(words.related(site))}</code></p>" for site in finding.related[: words.MANY]]
    return "\n".join([*(part for part in parts if part), "</section>"])


def _code(lines: list[Line]) -> str:
    if not lines:
        return ""
    gutter = max(len(str(line.number)) for line in lines)
    shown = "\n".join(_code_lines(lines, gutter))
    return f"<pre>{shown}</pre>"


def _code_lines(lines: list[Line], gutter: int) -> Iterable[str]:
    for line in lines:
        start, end = line.span or ((0, len(line.text)) if line.marked else (0, 0))
        marked = f"<mark>{escape(line.text[start:end])}</mark>" if end > start else ""
        code = f"{escape(line.text[:start])}{marked}{escape(line.text[end:])}"
        yield f"<i>{'' if line.number is None else line.number:>{gutter}}  </i>{code}"


def _fix(fix: Fix) -> str:
    said = f"<p><b class='healthy'>fix:</b> {escape(fix.text)}</p>"
    if fix.edit is None:
        return said
    old, new = map(escape, words.edit_lines(fix.edit))
    where = escape(f"{shown_path(fix.edit.file)}:{fix.edit.line}")
    return f"{said}<pre><i>{where}</i>\n<del>- {old}</del>\n<ins>+ {new}</ins></pre>"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>" if rows else ""
