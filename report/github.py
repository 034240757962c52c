"""The findings as workflow commands, which GitHub shows beside the lines of a pull request."""

from typing import Final

from hypocenter.diagnose.finding import Finding
from hypocenter.ir.site import Site
from hypocenter.report import words
from hypocenter.report.encode import shown_path
from hypocenter.report.model import Report
from hypocenter.report.renderers import Surface

_LEVEL: Final = {"error": "error", "warning": "warning", "note": "notice"}


class GithubRenderer:
    """One command per finding (with `quiet`, per error and warning), and the verdict when there is none.

    The form is that of https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
    """

    def render(self, report: Report, surface: Surface) -> str:
        """The commands, one per line."""
        findings = report.failing("warning") if surface.quiet else report.findings
        lines = [_command(finding) for finding in findings]
        if not lines and not surface.quiet:
            lines = [f"::notice title=hypocenter::{_data(words.headline(report))}"]
        return "".join(f"{line}\n" for line in lines)


def _command(finding: Finding) -> str:
    properties = {"title": f"{finding.rule} {finding.name}", **_region(finding.location)}
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    fix = f"\nFix: {finding.fix.text}" if finding.fix else ""
    return f"::{_LEVEL[finding.severity]} {listed}::{_data(f'{words.title(finding)}: {finding.message}{fix}')}"


def _region(site: Site | None) -> dict[str, object]:
    if site is None:
        return {}
    region: dict[str, object] = {"file": shown_path(site.file), "line": site.line}
    if site.end_line is not None:
        region["endLine"] = site.end_line
    if site.column is not None and site.end_line in (None, site.line):  # columns are refused with several lines
        region["col"] = site.column
        if site.end_column is not None:
            region["endColumn"] = site.end_column
    return region


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
