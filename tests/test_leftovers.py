"""The fixture that watches over all tests can fail."""

import re
import subprocess
import sys
from pathlib import Path

#: Tests that leave something behind; `undo` is called after the fixture has looked, so that the next test is clean.
LEAKS = """
import pytest
import torch
from torch.overrides import BaseTorchFunctionMode

import hypocenter
from hypocenter.imports import after_import
from hypocenter.lower.fx.construction import ConstructionSites
from hypocenter.probes.fx import patches
from hypocenter.probes.fx.interception import Everywhere

undo = []


def leave(begin, end):
    begin()
    undo.append(end)


def test_import_hook():
    undo.append(after_import("a_package_that_nobody_has", print))


def test_patches():
    leave(lambda: patches.add(undo), lambda: patches.discard(undo))


def test_construction():
    sites = ConstructionSites()
    leave(sites.install, sites.uninstall)


def test_every_module():
    everywhere = Everywhere(None)
    leave(everywhere.start, everywhere.stop)


def test_function_mode():
    mode = BaseTorchFunctionMode()
    leave(mode.__enter__, lambda: mode.__exit__(None, None, None))


def test_model_with_probes():
    model = hypocenter.instrument(torch.nn.Linear(2, 2))
    undo.append(lambda: hypocenter.strip(model))


def test_stripped_model():
    hypocenter.strip(hypocenter.instrument(torch.nn.Linear(2, 2)))
"""

TIDY = """

@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    try:
        return (yield)
    finally:
        while item.module.undo:
            item.module.undo.pop()()
"""


def test_each_kind_of_leftover_fails_its_test(tmp_path):
    (tmp_path / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text() + TIDY)
    (tmp_path / "test_leaks.py").write_text(LEAKS)
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-q", "-rA", "--rootdir", ".", "test_leaks.py"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    failed = set(re.findall(r"^ERROR test_leaks\.py::(\w+) - .*after the test", shown, re.MULTILINE))
    leaking = set(re.findall(r"def (test_\w+)", LEAKS)) - {"test_stripped_model"}
    assert failed == leaking, shown
    assert f"{len(leaking) + 1} passed, {len(leaking)} errors" in shown


def test_a_process_without_torch_is_looked_at_without_loading_it(tmp_path):
    (tmp_path / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (tmp_path / "test_light.py").write_text("import sys\ndef test_light():\n    assert 'torch' not in sys.modules\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-q", "--rootdir", ".", "test_light.py"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert "1 passed" in shown
