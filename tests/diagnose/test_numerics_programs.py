"""Real training scripts through `hypocenter run`: the first finding names the rule, the layer, the fault and the line.

The line to be found ends in `# fault: <kind> <layer>`; `*` stands for any layer. The file name holds the rule.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[1] / "programs"
FAULTY = sorted(PROGRAMS.glob("faulty/numerics_*.py"))
HEALTHY = sorted(PROGRAMS.glob("healthy/numerics_*.py"))

#: NaN losses whose gradient is 0: the weights survive.
HARMLESS_TO_WEIGHTS = {"numerics_hc102_all_ignored", "numerics_hc102_no_positives"}


def diagnosed(script, folder):
    report = folder / "report.json"
    command = [sys.executable, "-m", "hypocenter", "run", "--format", "json", "-o", str(report), str(script)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert report.exists(), done.stderr
    return json.loads(report.read_text()), done


def marked(script):
    lines = script.read_text().splitlines()
    ((number, marker),) = [(n, line) for n, line in enumerate(lines, 1) if "# fault: " in line]
    fault, layer = marker.partition("# fault: ")[2].split()
    return number, fault, layer


def test_there_are_two_programs_for_each_rule():
    codes = [re.search(r"hc\d{3}", path.name)[0] for path in FAULTY]
    assert {code: codes.count(code) >= 2 for code in codes} == {f"hc10{number}": True for number in range(1, 7)}
    assert len(HEALTHY) >= 5


@pytest.mark.parametrize("script", FAULTY, ids=lambda path: path.stem)
def test_faulty(script, tmp_path):
    line, fault, layer = marked(script)
    report, done = diagnosed(script, tmp_path)
    assert report["program"]["ended"] == "completed", done.stderr
    first = report["findings"][0]
    assert first["rule"] == re.search(r"hc\d{3}", script.name)[0].upper(), first["message"]
    assert first["fault"] == fault, first["message"]
    assert first["location"]["line"] == line
    assert Path(first["location"]["file"]).name == script.name
    if layer != "*":
        assert first["layer"] == layer
    assert first["fix"]["text"]
    harmless = script.stem in HARMLESS_TO_WEIGHTS
    assert (report["verdict"], done.returncode) == (("suspect", 0) if harmless else ("faulty", 1))
    accused = [finding["rule"] for finding in report["findings"] if finding["severity"] != "note"]
    assert len(accused) == 1, accused
    edit = first["fix"].get("edit")
    if edit is not None:
        text = script.read_text().splitlines()[edit["line"] - 1]
        assert text.count(edit["old"]) == 1
        compile(script.read_text().replace(text, text.replace(edit["old"], edit["new"])), script.name, "exec")


@pytest.mark.parametrize("script", HEALTHY, ids=lambda path: path.stem)
def test_healthy(script, tmp_path):
    report, done = diagnosed(script, tmp_path)
    assert report["program"]["ended"] == "completed", done.stderr
    assert [finding["message"] for finding in report["findings"] if finding["rule"].startswith("HC1")] == []
    assert report["verdict"] == "healthy"
    assert done.returncode == 0


def test_the_edits_that_are_offered_cure(tmp_path):
    """The exact edits of two programs, applied: the same script is healthy as far as numbers go."""
    for name in ("numerics_hc102_binary_by_hand", "numerics_hc103_same_point"):
        script = PROGRAMS / "faulty" / f"{name}.py"
        report, _ = diagnosed(script, tmp_path)
        edit = report["findings"][0]["fix"]["edit"]
        cured = tmp_path / f"{name}_cured.py"
        cured.write_text(script.read_text().replace(edit["old"], edit["new"]))
        report, _ = diagnosed(cured, tmp_path)
        assert [finding["rule"] for finding in report["findings"] if finding["rule"].startswith("HC1")] == []
