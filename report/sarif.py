"""The findings as SARIF 2.1.0, for code-scanning services and editors."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hypocenter._version import __version__
from hypocenter.diagnose.finding import Edit, Finding
from hypocenter.ir.site import Site
from hypocenter.report import words
from hypocenter.report.encode import json_ready, shown_path
from hypocenter.report.model import Report, key
from hypocenter.report.renderers import Surface
from hypocenter.report.source import source_line

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class SarifRenderer:
    """One run with one result per finding; suppressed findings are results with a suppression.

    The form is that of https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
    """

    def render(self, report: Report, surface: Surface) -> str:  # noqa: ARG002  # data has no looks
        """The log file."""
        hidden = [one.finding for one in report.suppressed]
        found = [*report.findings, *hidden]
        names = {finding.rule: finding.name for finding in found}
        rules = [{"id": rule, "name": _pascal(name)} for rule, name in sorted(names.items())]
        results = [_result(finding) for finding in report.findings]
        results += [{**_result(finding), "suppressions": [{"kind": "external"}]} for finding in hidden]
        run = {
            "tool": {"driver": {"name": "hypocenter", "version": __version__, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": report.program.ended in ("completed", "not-run")}],
            "results": results,
            "properties": {"verdict": report.verdict},
        }
        log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
        return json.dumps(json_ready(log), indent=2, allow_nan=False) + "\n"


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _result(finding: Finding) -> dict[str, Any]:
    digest = hashlib.sha256(repr(key(finding)).encode("utf-8", "backslashreplace")).hexdigest()
    fix = f" Fix: {finding.fix.text}" if finding.fix else ""
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": {"text": f"{words.title(finding)}: {finding.message}{fix}"},
        "partialFingerprints": {"ruleLayerFile/v1": digest},
        "properties": {"fault": finding.fault, "confidence": finding.confidence, "evidence": finding.evidence},
    }
    if finding.location is not None:
        result["locations"] = [_location(finding.location)]
    if finding.related:
        result["relatedLocations"] = [_location(site) for site in finding.related]
    if finding.fix is not None and finding.fix.edit is not None:
        result["fixes"] = _fixes(finding.fix.text, finding.fix.edit)
    return {name: value for name, value in result.items() if value != []}


def _location(site: Site) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": site.line}
    optional = {"endLine": site.end_line, "startColumn": site.column, "endColumn": site.end_column}
    region |= {name: value for name, value in optional.items() if value is not None}
    if site.snippet:
        region["snippet"] = {"text": site.snippet}
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(site.file)}, "region": region}}


def _uri(file: str) -> str:
    """The path as a URI; names that the locale could not decode as the bytes that they are, which `as_uri` may not."""
    shown = Path(shown_path(file))
    quoted = quote(shown.as_posix(), safe="/:" if shown.drive else "/", errors="surrogateescape")
    return f"file://{'/' if shown.drive else ''}{quoted}" if shown.is_absolute() else quoted


def _fixes(text: str, edit: Edit) -> list[dict[str, Any]]:
    """The edit as a replacement of the columns where its old text stands; none when the line has changed."""
    line = source_line(edit.file, edit.line)
    if line is None or edit.old not in line:
        return []
    start = line.index(edit.old) + 1
    region = {"startLine": edit.line, "startColumn": start, "endColumn": start + len(edit.old)}
    replacement = {"deletedRegion": region, "insertedContent": {"text": edit.new}}
    change = {"artifactLocation": {"uri": _uri(edit.file)}, "replacements": [replacement]}
    return [{"description": {"text": text}, "artifactChanges": [change]}]
