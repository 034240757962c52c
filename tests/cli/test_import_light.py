"""`import hypocenter` loads nothing heavy, and its lazy names work in any order."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "tensorflow", "keras", "onnx", "onnx_ir", "onnxruntime", "numba", "pyarrow", "rich", "click", "numpy"}


def loaded_by(statements):
    """Top-level packages that a new interpreter has loaded after the statements."""
    code = f"{statements}\nimport sys, json\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    return set(
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    )


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    assert not HEAVY & loaded_by("import hypocenter; dir(hypocenter); hypocenter.__version__")


def test_this_test_can_fail():
    assert {"numpy", "rich"} <= HEAVY & loaded_by("import hypocenter, numpy, rich")


def test_before_a_script_runs_nothing_is_loaded_that_reads_its_environment():
    """numpy and numba read OMP_NUM_THREADS when they are imported; the script must still be able to set it."""
    light = loaded_by("import hypocenter.cli, hypocenter.output, hypocenter.runner, hypocenter.imports")
    assert {"click"} == HEAVY & light


def test_report_is_the_report():
    from hypocenter.report.model import Report

    assert run("import hypocenter; print(hypocenter.Report.__module__)") == "hypocenter.report.model\n"
    import hypocenter

    assert hypocenter.Report is Report


def test_an_unknown_name_is_an_attribute_error():
    import hypocenter

    with pytest.raises(AttributeError, match="'diagnosis_of'"):
        hypocenter.diagnosis_of  # noqa: B018  # the access is the test


STUB = """
import sys, types
session = types.ModuleType("hypocenter.session")
def diagnose(model, *, select=None): return ("diagnosed", model, select)
def lower(model): return ("lowered", model)
def instrument(model): return model
session.diagnose, session.lower, session.instrument = diagnose, lower, instrument
sys.modules["hypocenter.session"] = session
"""


@pytest.mark.parametrize("first", [
    "import hypocenter",
    "import hypocenter.diagnose.finding, hypocenter.lower",
    "from hypocenter.diagnose.finding import Finding\nimport hypocenter",
    "import hypocenter\nhypocenter.diagnose\nimport hypocenter.diagnose.finding as f\nassert f.Finding",
    "from hypocenter import diagnose as d, lower, instrument\nimport hypocenter\nassert d(1) == hypocenter.diagnose(1)",
])  # fmt: skip
def test_functions_that_share_a_subpackage_s_name(first):
    shown = run(
        f"{STUB}{first}\nimport inspect\nprint(hypocenter.diagnose(3, select='x'), hypocenter.lower(4), "
        "hypocenter.instrument(5), inspect.signature(hypocenter.diagnose), callable(hypocenter.lower))\n"
        "import hypocenter.diagnose.finding\nprint(hypocenter.diagnose.finding.Finding.__name__)"
    )
    assert shown == "('diagnosed', 3, 'x') ('lowered', 4) 5 (model, *, select=None) True\nFinding\n"
