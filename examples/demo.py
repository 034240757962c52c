"""The demo: one command on a training script that goes wrong, and on the same script after the fix.

Run: python examples/demo.py [--capture FILE]. Shows both reports and compares them with what is known of the scripts.
Exits 0 when hypocenter named layer, kind of fault, line and fix of the first, and found nothing in the second.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FAULTY, FIXED = "digits.py", "digits_fixed.py"

#: Either line is right to point at: the one that makes the first dead layer, or the one that sets its bias.
LINES = ("init(nn.Conv2d(1, 16", "nn.init.constant_(layer.bias")
CONFIDENT = 0.9

#: What differs from run to run: times, run names.
SCRUBS = (
    (r"(?m)^probes .*$", "probes  0.00 s of 0.00 s (0.0 % of the rest)"),
    (r"\.hypocenter/\d{8}-\d{6}-\w+", ".hypocenter/20260101-120000-0000"),
)


def command(script: str) -> str:
    """What a user would type."""
    return f"hypocenter run {HERE.name}/{script}"


def diagnose(script: str, *, captured: bool) -> tuple[dict[str, Any], str]:
    """The report of a script, and what the terminal showed (empty when it was shown and not captured)."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--format", "text", "--format", "json", "-o", str(report)]
        done = subprocess.run(
            [sys.executable, "-m", "hypocenter", "run", *options, f"{HERE.name}/{script}"],
            cwd=HERE.parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **({"COLUMNS": "100"} if captured else {})},
            stdout=subprocess.PIPE if captured else None,
            stderr=subprocess.STDOUT if captured else None,
            encoding="utf-8",
            check=False,
        )
        if not report.exists():
            sys.exit(f"{command(script)} gave no report (exit code {done.returncode})\n{done.stdout or ''}")
        return json.loads(report.read_text(encoding="utf-8")), done.stdout or ""


def differences(faulty: dict[str, Any], fixed: dict[str, Any]) -> list[str]:
    """What the reports should say and do not, one sentence each."""
    wrong = []
    if fixed["verdict"] != "healthy":
        wrong.append(f"{FIXED} is {fixed['verdict']!r}, not 'healthy'")
    if not faulty["findings"]:
        return [*wrong, f"{FAULTY} is {faulty['verdict']!r}, without a finding"]
    first = faulty["findings"][0]
    expected = {"rule": "HC301", "severity": "error", "fault": "initialization", "layer": "features.0"}
    wrong += [f"its {key} is {first[key]!r}, not {value!r}" for key, value in expected.items() if first[key] != value]
    place = first["location"] or {"file": "", "line": None}
    if not is_right_line(place["file"], place["line"]):
        wrong.append(f"it points at {place['file']!r} line {place['line']}, not at {' or '.join(map(repr, LINES))}")
    if "bias" not in json.dumps(first["fix"]):
        wrong.append(f"its fix does not speak of the bias: {first['fix']!r}")
    if first["confidence"] < CONFIDENT:
        wrong.append(f"its confidence is {first['confidence']}, below {CONFIDENT}")
    return wrong


def is_right_line(file: str, line: int | None) -> bool:
    """Whether a place is one of `LINES` of the faulty script."""
    path = HERE / FAULTY
    if line is None or (HERE.parent / file).resolve() != path:
        return False
    return any(text in path.read_text(encoding="utf-8").splitlines()[line - 1] for text in LINES)


def scrubbed(text: str) -> str:
    """The text without times and run names."""
    for pattern, plain in SCRUBS:
        text = re.sub(pattern, plain, text)
    return text


def main() -> int:
    """Run both scripts; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--capture", type=Path, metavar="FILE", help="write what the terminal shows to this file")
    capture: Path | None = parser.parse_args().capture
    reports, session = [], []
    for script in (FAULTY, FIXED):
        if capture is None:
            print(f"$ {command(script)}", flush=True)
        report, shown = diagnose(script, captured=capture is not None)
        reports.append(report)
        session.append(f"$ {command(script)}\n{shown}")
        if capture is None:
            print(flush=True)
    if capture is not None:
        capture.write_text(scrubbed("\n".join(session)), encoding="utf-8")
    wrong = differences(*reports)
    if wrong:
        print("The demo did not find what it should:", *wrong, sep="\n  ", file=sys.stderr)
        return 1
    first = reports[0]["findings"][0]
    place = f"{first['location']['file']}:{first['location']['line']}"
    print(f"As expected: {first['fault']} of {first['layer']} at {place}; the fixed twin is healthy.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
