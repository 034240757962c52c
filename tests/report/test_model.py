"""The report as data: verdict, schema, strict JSON, suppression."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from hypocenter.errors import BadInputError
from hypocenter.report.baseline import load_baseline
from hypocenter.report.encode import json_ready, shown_path
from hypocenter.report.model import Overhead, key
from hypocenter.report.renderers import Surface, renderer

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())


def validate(data):
    jsonschema.Draft202012Validator(SCHEMA).validate(data)


def test_every_report_is_valid_and_strict(report, healthy):
    for one in (
        report,
        healthy,
        replace(healthy, undecided="Nothing was recorded."),
        report.without({("HC301", "fc1", "train.py")}),
    ):
        text = renderer("json").render(one, Surface())
        data = json.loads(text, parse_constant=pytest.fail)
        assert data == one.to_dict()
        validate(data)
        assert text.isascii()


def test_the_schema_test_can_fail(report):
    with pytest.raises(jsonschema.ValidationError):
        validate({**report.to_dict(), "verdict": "fine"})


def test_content(report):
    data = report.to_dict()
    first = data["findings"][0]
    assert (data["verdict"], first["rank"], first["location"]["file"]) == ("faulty", 1, "train.py")
    assert first["fix"]["edit"]["file"] == first["related"][0]["file"] == data["program"]["path"] == "train.py"
    assert first["evidence"]["gradient"] == "nan"
    assert data["run"] == ".hypocenter/run1"
    assert data["coverage"]["unprobed"] == [{"layer": "head", "reason": "its output is not a tensor"}]


@pytest.mark.parametrize(("kept", "undecided", "verdict"), [
    ([0, 1, 2], None, "faulty"), ([1, 2], None, "suspect"), ([2], None, "healthy"), ([], None, "healthy"),
    ([2], "no model", "undecided"), ([1], "no model", "suspect"), ([0], "no model", "faulty"),
])  # fmt: skip
def test_verdict(report, findings, kept, undecided, verdict):
    assert replace(report, findings=tuple(findings[i] for i in kept), undecided=undecided).verdict == verdict


def test_failing(report):
    assert [f.rule for f in report.failing("error")] == ["HC301"]
    assert [f.rule for f in report.failing("warning")] == ["HC301", "HC204"]
    assert report.failing("never") == ()


def test_a_baseline_hides_and_counts(report, findings, tmp_path):
    path = tmp_path / "old.json"
    path.write_text(renderer("json").render(replace(report, findings=findings[:1]), Surface()))
    known = load_baseline(path)
    assert known == {("HC301", "fc1", "train.py")} == {key(findings[0])}
    newer = report.without(known)
    assert [(f.rule, f.rank) for f in newer.findings] == [("HC204", 1), ("HC902", 2)]
    assert newer.verdict == "suspect"
    assert [(one["rule"], one["reason"]) for one in newer.to_dict()["suppressed"]] == [("HC301", "baseline")]
    path.write_text(renderer("json").render(newer, Surface()))
    assert load_baseline(path) == {key(one) for one in findings}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema": "hypocenter.report/1"}', "\udcff",
                                  '{"schema": "hypocenter.report/1", "findings": [3]}'])  # fmt: skip
def test_a_bad_baseline_is_refused(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInputError, match=r"old\.json"):
        load_baseline(path)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_baseline(tmp_path / "none.json")


class Odd:
    def __repr__(self):
        return "<odd>"


@pytest.mark.parametrize(("value", "ready"), [
    (float("nan"), "nan"), (float("-inf"), "-inf"), (np.float32("inf"), "inf"), (np.int64(3), 3), (True, True),
    (np.bool_(True), True),
    (np.array([1.5, float("nan")]), [1.5, "nan"]), (np.array(2), 2), ((1, {2}), [1, [2]]), ({1: None}, {"1": None}),
    (Path("a"), "a"), (b"x", "b'x'"), (Odd(), "<odd>"), ("bad \udcff name", "bad \\udcff name"),
])  # fmt: skip
def test_json_ready(value, ready):
    assert json_ready(value) == ready
    assert type(json_ready(value)) is type(ready)


def test_shown_path(program):
    assert shown_path(str(program / "a" / "b.py")) == "a/b.py"
    assert shown_path(str(Path("/elsewhere/b.py"))) == "/elsewhere/b.py"
    assert shown_path("<stdin>") == "<stdin>"


def test_overhead():
    assert Overhead(1.0, 11.0, 5.0).percent == pytest.approx(10.0)
    assert Overhead(1.0, 11.0, 5.0).over_budget
    assert not Overhead(1.0, 11.0, 15.0).over_budget
    assert not Overhead(1.0, 11.0).over_budget
    assert Overhead(0.0, 0.0).percent is None
