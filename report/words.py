"""The sentences and table rows that every readable form of the report shares."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypocenter.diagnose.finding import Edit, Finding
from hypocenter.ir.site import Site
from hypocenter.report.encode import json_ready, shown_path
from hypocenter.report.model import Coverage, Overhead, Report
from hypocenter.report.source import printable, source_line

#: Longest list of values, layers or places that is written out.
MANY: Final = 6

_ROLES: Final = {
    "definition": "made here",
    "call": "called here",
    "loss": "loss",
    "optimizer": "optimizer",
    "fit": "training",
    "data": "data",
    "loop": "training loop",
    "metric": "metric",
}


def headline(report: Report) -> str:
    """The verdict as a sentence: `train.py is faulty: 1 error, 2 notes`."""
    name = printable(shown_path(report.program.path))
    if report.verdict == "undecided":
        reason = (report.undecided or "").rstrip(".")
        return f"{name} could not be judged: {reason[:1].lower()}{reason[1:]}"
    return f"{name} is {report.verdict}" + (f": {counts(report)}" if report.findings else "")


def counts(report: Report) -> str:
    """`1 error, 2 warnings`; empty without findings."""
    numbers = [(report.count(severity), severity) for severity in ("error", "warning", "note")]
    return ", ".join(plural(number, severity) for number, severity in numbers if number)


def plural(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def title(finding: Finding) -> str:
    """Layer, op, phase and step of a finding in one line: `fc1 (Linear), forward, step 3`."""
    who = "the whole program" if finding.layer is None else f"{finding.layer}"
    parts = [f"{who} ({finding.op})" if finding.op else who]
    if finding.phase != "static":
        parts.append(finding.phase)
    if finding.step is not None:
        parts.append(f"step {finding.step}")
    return printable(", ".join(parts))


def label(finding: Finding) -> str:
    """The short reason under the marked code."""
    words = finding.name.replace("-", " ")
    return words if not finding.step else f"{words} from step {finding.step}"


def place(site: Site) -> str:
    """`train.py:14:20`, or `train.py:14-20` for lines of which one is meant."""
    where = f"{printable(shown_path(site.file))}:{site.line}"
    if site.column is not None:
        return f"{where}:{site.column}"
    return f"{where}-{site.end_line}" if site.end_line is not None and site.end_line != site.line else where


def related(site: Site) -> str:
    """Place, role and source line of a related site."""
    snippet = f"  {printable(site.snippet.strip())}" if site.snippet else ""
    return f"{place(site)} ({_ROLES[site.role]}){snippet}"


def evidence(finding: Finding) -> list[tuple[str, str]]:
    """Name and value of each piece of evidence, without the consequences."""
    rows = {name: value for name, value in finding.evidence.items() if name != "also"}
    return [(printable(str(name)).replace("_", " "), value_text(value)) for name, value in rows.items()]


def consequences(finding: Finding) -> list[str]:
    """One line for each finding that this one explains."""
    listed = finding.evidence.get("also", ())
    return [_consequence(one) for one in listed] if isinstance(listed, Sequence) else []


def _consequence(one: Any) -> str:
    if not isinstance(one, Mapping):
        return value_text(one)
    layer = f" at {one['layer']}" if one.get("layer") else ""
    return printable(f"{one.get('rule', '')}{layer}: {one.get('message', '')}")


def value_text(value: Any) -> str:
    """A value for reading: four significant digits, long lists cut short, no line ends."""
    value = json_ready(value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    if isinstance(value, list):
        rest = [f"and {len(value) - MANY} more"] if len(value) > MANY else []
        between = "; " if any(isinstance(item, dict) for item in value) else ", "
        return between.join([*map(value_text, value[:MANY]), *rest]) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {value_text(item)}" for name, item in value.items()) or "none"
    return printable(str(value).strip().splitlines()[-1] if str(value).strip() else "''")


def edit_lines(edit: Edit) -> tuple[str, str]:
    """The source line before and after the edit; only the edited part when the file no longer has it."""
    line = source_line(edit.file, edit.line)
    if line is None or edit.old not in line:
        return printable(edit.old), printable(edit.new)
    return printable(line.strip()), printable(line.replace(edit.old, edit.new, 1).strip())


def footer(report: Report) -> list[tuple[str, str]]:
    """Name and text of the closing lines: coverage, steps, cost, what was left out, the folder, what to do next."""
    rows = [("layers", line) for line in _coverage(report.coverage)]
    if report.program.ended != "not-run":
        rows.append(("run", _ended(report)))
    if report.overhead is not None:
        rows.append(("probes", _overhead(report.overhead)))
    for reason, text in (("baseline", "known from the baseline"), ("not selected", "of rules that were not selected")):
        number = sum(one.reason == reason for one in report.suppressed)
        if number:
            rows.append(("hidden", f"{plural(number, 'finding')} {text}"))
    if report.run is not None:
        rows.append(("saved", printable(shown_path(report.run))))
    if report.findings:
        rows.append(("next", f"hypocenter explain {report.findings[0].rule}"))
    return rows


def _coverage(coverage: Coverage) -> list[str]:
    if not coverage.layers:
        return []
    lines = [f"{coverage.probed} of {coverage.layers} probed"]
    by_reason: dict[str, list[str]] = {}
    for one in coverage.unprobed:
        by_reason.setdefault(one.reason, []).append(one.layer)
    return lines + [printable(f"{value_text(layers)}: {reason}") for reason, layers in by_reason.items()]


def _ended(report: Report) -> str:
    program = report.program
    how = {"completed": "completed", "raised": "raised", "stopped": "stopped early", "not-run": "not run"}
    steps = "" if program.steps is None else f" after {plural(program.steps, 'training step')}"
    what = "" if program.exception is None else f" ({value_text(program.exception)})"
    return f"{how[program.ended]}{steps}{what}"


def _overhead(overhead: Overhead) -> str:
    share = "" if overhead.percent is None else f" ({overhead.percent:.1f} % of the rest)"
    text = f"{_seconds(overhead.probe_seconds)} of {_seconds(overhead.wall_seconds)}{share}"
    return f"{text}, over the budget of {overhead.budget_percent:g} %: try --every" if overhead.over_budget else text


def _seconds(time: float) -> str:
    return f"{1000 * time:.3g} ms" if time < 0.1 else f"{time:.2f} s"
