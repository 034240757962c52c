"""The benchmarks replace their own section of the results and nothing else."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[2] / "benchmarks" / "results.py"


@pytest.fixture
def results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_results", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_section_is_appended_and_then_replaced(results: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    results.replace_section("kernels", "one", path)
    results.replace_section("overhead", "two", path)
    results.replace_section("kernels", "three\n", path)
    assert path.read_text() == (
        "# Results\n\n<!-- kernels:begin -->\nthree\n<!-- kernels:end -->\n\n"
        "<!-- overhead:begin -->\ntwo\n<!-- overhead:end -->\n"
    )


def test_the_machine_is_said_in_one_line(results: ModuleType) -> None:
    line = results.machine(("numpy",))
    assert results.processor() in line
    assert "numpy" in line
    assert "\n" not in line
