"""The demo finds what it should, and the terminal shown in the README is what it shows."""

import copy
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


@pytest.fixture(scope="module")
def demo():
    """examples/demo.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples/demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def differing(shown, kept):
    """The parts in which two terminals differ.

    Line breaks do not count, since a longer number moves them. Whole numbers must agree; others may differ by a tenth,
    or 0.05, as sums in another order on another processor make them.
    """

    def same(a, b):
        if a == b:
            return True
        try:
            x, y = float(a), float(b)
        except ValueError:
            return False
        return ("." in a or "." in b) and abs(x - y) <= max(0.05, 0.1 * abs(y))

    parts = [[" ".join(part.split()) for part in NUMBER.split(text)] for text in (shown, kept)]
    pairs = [(a, b) for a, b in zip(*parts, strict=False) if not same(a, b)]
    return pairs if len(parts[0]) == len(parts[1]) else [*pairs, ("length", len(parts[0]) - len(parts[1]))]


def test_demo_exits_0_and_the_kept_terminal_is_true(tmp_path):
    new = tmp_path / "demo.txt"
    command = [sys.executable, "examples/demo.py", "--capture", str(new)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "initialization of features.0" in done.stdout
    kept = (ROOT / "docs/demo.txt").read_text(encoding="utf-8")
    assert differing(new.read_text(encoding="utf-8"), kept) == [], "run `make docs`"


def test_a_demo_that_shows_something_else_would_be_noticed():
    kept = (ROOT / "docs/demo.txt").read_text(encoding="utf-8")
    assert differing(kept, kept) == []
    assert differing(kept.replace("dead-units", "deaf-units", 1), kept)
    assert differing(kept.replace("features.0 (Conv)", "features.3 (Conv)", 1), kept)
    assert differing(kept.replace("115 training", "116 training", 1), kept)
    assert differing(kept + "one line more\n", kept)


RIGHT = {
    "verdict": "faulty",
    "findings": [{
        "rule": "HC301", "severity": "error", "fault": "initialization", "layer": "features.0", "confidence": 0.95,
        "location": {"file": "examples/digits.py", "line": 0}, "fix": {"text": "Start the biases at 0."},
    }],
}  # fmt: skip


@pytest.fixture
def right(demo):
    report = copy.deepcopy(RIGHT)
    lines = (ROOT / "examples" / demo.FAULTY).read_text().splitlines()
    report["findings"][0]["location"]["line"] = 1 + next(i for i, line in enumerate(lines) if demo.LINES[0] in line)
    return report


def test_a_right_pair_of_reports_passes(demo, right):
    assert demo.differences(right, {"verdict": "healthy", "findings": []}) == []


@pytest.mark.parametrize(("change", "sentence"), [
    ({"rule": "HC401"}, "rule is 'HC401'"),
    ({"fault": "activation"}, "fault is 'activation'"),
    ({"layer": "head"}, "layer is 'head'"),
    ({"confidence": 0.5}, "confidence is 0.5"),
    ({"location": None}, "points at"),
    ({"location": {"file": "examples/digits.py", "line": 1}}, "points at"),
    ({"fix": None}, "fix does not speak"),
])  # fmt: skip
def test_a_wrong_finding_fails_the_demo(demo, right, change, sentence):
    right["findings"][0] |= change
    (wrong,) = demo.differences(right, {"verdict": "healthy", "findings": []})
    assert sentence in wrong


def test_an_accused_twin_or_a_missed_fault_fails_the_demo(demo, right):
    assert demo.differences(right, {"verdict": "suspect", "findings": []}) == [
        "digits_fixed.py is 'suspect', not 'healthy'"
    ]
    assert demo.differences({"verdict": "healthy", "findings": []}, {"verdict": "healthy"}) == [
        "digits.py is 'healthy', without a finding"
    ]
