"""GitHub annotations, SARIF, JUnit and HTML."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from hypocenter.errors import StorageError
from hypocenter.report.renderers import Surface, renderer, save


def render(name, report, **surface):
    return renderer(name).render(report, Surface(**surface))


def test_github(report, healthy, findings):
    lines = render("github", report).splitlines()
    assert lines[0].startswith("::error title=HC301 dead-units,file=train.py,line=10,col=9,endColumn=47::fc1 (Linear)")
    assert lines[0].endswith("%0AFix: Start the bias at 0.")
    assert lines[1].startswith("::warning title=HC204 update-too-large,file=train.py,line=17,endLine=20::")
    assert lines[2].startswith("::notice ")
    assert len(lines) == 3
    assert len(render("github", report, quiet=True).splitlines()) == 2
    assert render("github", healthy) == "::notice title=hypocenter::train.py is healthy\n"
    odd = replace(findings[0], name="a:b,c", message="50 %\r\nnext", location=None, fix=None, layer=None, op=None)
    assert "title=HC301 a%3Ab%2Cc::" in render("github", replace(report, findings=(odd,)))
    assert "50 %25%0D%0Anext\n" in render("github", replace(report, findings=(odd,)))


def test_sarif(report):
    log = json.loads(render("sarif", report.without({("HC902", "fc2", "train.py")})), parse_constant=lambda c: 1 / 0)
    [run] = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["HC204", "HC301", "HC902"]
    first, _, hidden = run["results"]
    assert (first["ruleId"], first["level"]) == ("HC301", "error")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "train.py"}
    assert (place["region"]["startLine"], place["region"]["startColumn"], place["region"]["endColumn"]) == (10, 9, 47)
    replaced = first["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert replaced["deletedRegion"] == {"startLine": 10, "startColumn": 42, "endColumn": 46}
    assert replaced["insertedContent"] == {"text": "0.0"}
    assert hidden["suppressions"] == [{"kind": "external"}]
    assert run["invocations"] == [{"executionSuccessful": False}]


def test_sarif_fingerprints_outlive_a_moved_line(report, findings):
    moved = replace(findings[0], location=replace(findings[0].location, line=99))
    prints = [
        json.loads(render("sarif", replace(report, findings=(one,))))["runs"][0]["results"][0]["partialFingerprints"]
        for one in (findings[0], moved, replace(findings[0], layer="fc2"))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_junit(report, healthy):
    [suite] = ET.fromstring(render("junit", report.without({("HC204", None, "train.py")})))
    assert dict(suite.attrib) == {"name": "hypocenter", "tests": "4", "failures": "1", "errors": "0", "skipped": "1"}
    assert suite.find("testcase/failure").get("message").startswith("60 of 64")
    assert "train.py:10:9" in suite.find("testcase/failure").text
    [suite] = ET.fromstring(render("junit", replace(healthy, undecided="why not")))
    assert suite.find("testcase/error").get("message") == "why not"


class Balanced(HTMLParser):
    VOID = ("meta",)

    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_balanced_self_contained_and_complete(report, healthy):
    for one in (report, healthy):
        for text in (one._repr_html_(), render("html", one)):
            parser = Balanced()
            parser.feed(text)
            parser.close()
            assert parser.open == []
            assert parser.links == []
            assert "http" not in text
            assert "url(" not in text
    text = report._repr_html_()
    assert "<mark>nn.init.constant_(self.fc1.bias, -5.0)</mark>" in text
    assert "<del>- nn.init.constant_(self.fc1.bias, -5.0)</del>" in text
    assert "explains HC401: the loss stays at 2.3" in text
    assert render("html", report).startswith("<!doctype html>")


def test_sarif_has_the_bytes_of_names_that_the_locale_could_not_decode(report, findings):
    name = b"tr\xc3\xa4in.py".decode("ascii", "surrogateescape")
    for folder, shown in (("", ""), ("/no ne/", "file:///no%20ne/")):
        one = replace(findings[0], location=replace(findings[0].location, file=folder + name), fix=None)
        [result] = json.loads(render("sarif", replace(report, findings=(one,))))["runs"][0]["results"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == f"{shown}tr%C3%A4in.py"


def test_a_report_that_cannot_be_saved_is_a_sentence(tmp_path):
    with pytest.raises(StorageError, match=r"cannot be written to '.*r\.html': No such file"):
        save("text", tmp_path / "none" / "r.html")
