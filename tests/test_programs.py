"""Whole training programs through `hypocenter run`: healthy ones get `healthy`, faulty ones the line that is marked.

A faulty program marks the line to act on with `# fault: KIND LAYER`; `-` stands for no layer, and a pattern such as
`hidden.*` for any of several layers that share the fault.
"""

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROGRAMS = Path(__file__).parent / "programs"
MARK = "# fault: "


class Truth(NamedTuple):
    """What a faulty program says of itself."""

    line: int
    fault: str
    layer: str


def scripts(kind: str) -> list[Any]:
    # those about numerics have tests of their own, in tests/diagnose
    paths = sorted(path for path in (PROGRAMS / kind).glob("*.py") if not path.stem.startswith("numerics_"))
    assert paths
    return [pytest.param(path, id=path.stem) for path in paths]


def truth(path: Path) -> Truth:
    marked = [(i, text) for i, text in enumerate(path.read_text().splitlines(), start=1) if MARK in text]
    assert len(marked) == 1, "a faulty program marks one line"
    line, text = marked[0]
    fault, layer = text.split(MARK)[1].split()
    return Truth(line, fault, layer)


def report(path: Path, folder: Path) -> dict[str, Any]:
    """Runs a program as a user would; its own exit code is not ours to judge."""
    command = [sys.executable, "-m", "hypocenter", "run", "--format", "json", "-o", "report.json", str(path)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    written = folder / "report.json"
    assert written.exists(), done.stderr
    found: dict[str, Any] = json.loads(written.read_text())
    return found


@pytest.mark.parametrize("path", scripts("healthy"))
def test_a_healthy_program_is_not_accused(path: Path, tmp_path: Path) -> None:
    found = report(path, tmp_path)
    accused = [(each["rule"], each["message"]) for each in found["findings"] if each["severity"] != "note"]
    assert accused == []
    assert found["verdict"] == "healthy"


@pytest.mark.parametrize("path", scripts("faulty"))
def test_the_marked_line_comes_first(path: Path, tmp_path: Path) -> None:
    expected = truth(path)
    found = report(path, tmp_path)
    assert found["verdict"] in ("faulty", "suspect"), found["findings"]
    first = found["findings"][0]
    assert first["fault"] == expected.fault, first["message"]
    assert fnmatchcase(first["layer"] or "-", expected.layer), first["message"]
    assert first["location"]["line"] == expected.line, first["message"]
    assert Path(first["location"]["file"]).name == path.name
    assert first["fix"]["text"]
