"""The report as JUnit XML, which continuous-integration services show as tests."""

from xml.etree import ElementTree as ET

from hypocenter.diagnose.finding import Finding
from hypocenter.report import words
from hypocenter.report.encode import shown_path
from hypocenter.report.model import Report
from hypocenter.report.renderers import Surface
from hypocenter.report.source import printable


class JunitRenderer:
    """One suite: the verdict as a case of its own, then a case per finding; notes pass, hidden ones are skipped."""

    def render(self, report: Report, surface: Surface) -> str:  # noqa: ARG002  # data has no looks
        """The XML document."""
        suite = ET.Element("testsuite", name="hypocenter")
        _verdict(suite, report)
        for finding in report.findings:
            case = _case(suite, report, finding)
            if finding.severity != "note":
                said = ET.SubElement(case, "failure", type=finding.severity, message=printable(finding.message))
                said.text = _details(finding)
        for one in report.suppressed:
            ET.SubElement(_case(suite, report, one.finding), "skipped", message=one.reason)
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(sum(1 for _ in suite.iter(tag))))
        root = ET.Element("testsuites")
        root.append(suite)
        ET.indent(root)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _verdict(suite: ET.Element, report: Report) -> None:
    case = ET.SubElement(suite, "testcase", name="verdict", classname=printable(shown_path(report.program.path)))
    if report.verdict == "undecided":
        ET.SubElement(case, "error", message=printable(report.undecided or ""))
    out = ET.SubElement(case, "system-out")
    out.text = words.headline(report)


def _case(suite: ET.Element, report: Report, finding: Finding) -> ET.Element:
    site = finding.location
    where = shown_path(site.file if site else report.program.path)
    name = f"{finding.rule} {finding.name} ({words.title(finding)})"
    case = ET.SubElement(suite, "testcase", name=name, classname=printable(where))
    if site is not None:
        case.set("file", printable(where))
        case.set("line", str(site.line))
    return case


def _details(finding: Finding) -> str:
    rows = [f"{name}: {value}" for name, value in words.evidence(finding)]
    where = [words.place(finding.location)] if finding.location else []
    fix = [f"fix: {printable(finding.fix.text)}"] if finding.fix else []
    return "\n".join([*where, *rows, *words.consequences(finding), *fix])
