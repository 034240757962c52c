"""Which kernels are chosen, the sentences that say why, and the warm-up, each in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hypocenter.errors import BadInputError
from hypocenter.kernels import select, warm_up

STATISTICS = """
import numpy as np
out = np.empty(14)
chosen.kernels.statistics(np.array([[1.0, -2.0]], np.float32), out)
assert out[9] == -1.0 and out[11] == 2.0, out
"""


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints; it fails when the code does."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def selected(prepare: str = "", **environment: str) -> list[str]:
    """The name of the kernels that a fresh process selects, and the reasons; they are used once."""
    code = f"""
{prepare}
from hypocenter.kernels import select
chosen = select()
{STATISTICS}
print(chosen.kernels.name, *chosen.reasons, sep="\\n")
"""
    return python(code, **environment).splitlines()


def test_numba_is_chosen_where_it_works() -> None:
    assert selected() == ["numba"]


def test_numpy_can_be_forced() -> None:
    assert selected(HYPOCENTER_KERNELS="numpy") == [
        "numpy",
        "numba was not tried, because HYPOCENTER_KERNELS is 'numpy'.",
    ]


def test_numba_can_be_forced() -> None:
    assert selected(HYPOCENTER_KERNELS="numba") == ["numba"]


def test_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPOCENTER_KERNELS", "cuda")
    with pytest.raises(BadInputError, match=r"HYPOCENTER_KERNELS is 'cuda'; it can be 'numpy' or 'numba'\."):
        select()


def test_without_numba_numpy_serves_and_says_so() -> None:
    assert selected("import sys; sys.modules['numba'] = None") == [
        "numpy",
        "numba is not installed, so the slower numpy kernels serve.",
    ]


def test_forced_but_absent_numba_is_an_error() -> None:
    code = """
import sys; sys.modules['numba'] = None
from hypocenter.kernels import select
from hypocenter.errors import BadInputError
try:
    select()
except BadInputError as error:
    print(error)
"""
    assert python(code, HYPOCENTER_KERNELS="numba").startswith("HYPOCENTER_KERNELS is 'numba', but numba is not inst")


def test_broken_numba_falls_back_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.4 or less')")
    assert selected(f"import sys; sys.path.insert(0, {str(tmp_path)!r})") == [
        "numpy",
        "numba does not work here (ImportError: Numba needs NumPy 2.4 or less), so the slower numpy kernels serve.",
    ]


WRONG_FIGURES = """
from hypocenter.kernels import numba_passes
numba_passes.statistics = lambda x, out, *rest: out.fill(7.0)
import importlib
importlib.reload = lambda module: module
"""


def test_wrong_figures_in_the_trial_fall_back_to_numpy() -> None:
    name, reason = selected(WRONG_FIGURES)
    assert name == "numpy"
    assert reason.startswith("numba does not work here (ArithmeticError: a trial gave [7.0, 7.0,")


NO_FOLDER = """
import numba.core.caching as caching
def fail(self):
    raise OSError(30, "Read-only file system")
for kind in caching.CacheImpl._locator_classes:
    kind.ensure_cache_path = fail
"""
FULL_DISK = """
import numba.core.caching as caching
def fail(*arguments):
    raise OSError(28, "No space left on device")
caching.IndexDataCacheFile.save = fail
caching.IndexDataCacheFile.load = lambda *arguments: None
"""


@pytest.mark.parametrize(("prepare", "cause"), [(NO_FOLDER, "no locator available"), (FULL_DISK, "No space left")])
def test_an_unwritable_cache_is_told_and_does_no_harm(prepare: str, cause: str) -> None:
    name, reason = selected(prepare)
    assert name == "numba"
    assert reason.startswith("Compiled kernels cannot be kept on disk, so each process compiles them anew (")
    assert cause in reason


def test_import_is_light_until_kernels_are_selected() -> None:
    code = """
import sys
import hypocenter.kernels
print('numba' in sys.modules)
hypocenter.kernels.select()
print('numba' in sys.modules)
"""
    assert python(code).split() == ["False", "True"]


def test_warm_up_leaves_nothing_to_compile() -> None:
    code = """
from hypocenter.kernels import numba_passes, select, warm_up
from hypocenter.kernels.warmup import calls
warmup = warm_up()
assert warmup is warm_up()
assert warmup.wait(100) and warmup.failure is None, warmup.failure
def ready():
    return {name: len(found.signatures) for name, found in vars(numba_passes).items() if hasattr(found, "signatures")}
before = ready()
assert before["statistics"] > 1, before
for call in calls(select().kernels):
    call()
assert ready() == before, (before, ready())
"""
    python(code)


def test_warm_up_survives_a_cache_that_fails_later(tmp_path: Path) -> None:
    code = f"""
import numpy as np
from hypocenter.kernels import select, warm_up
chosen = select()
{FULL_DISK}
from hypocenter.kernels import warmup
warmup.calls = lambda kernels: [lambda: kernels.nonfinite(np.ones(3, np.float32))]
warm = warm_up()
assert warm.wait(100) and warm.failure is None, warm.failure
{STATISTICS}
from hypocenter.kernels.numba_jit import Cache
assert "No space left" in Cache.refusal
"""
    python(code, NUMBA_CACHE_DIR=str(tmp_path))


def test_exit_during_the_warm_up_is_clean(tmp_path: Path) -> None:
    python("from hypocenter.kernels import warm_up; warm_up()", NUMBA_CACHE_DIR=str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_during_the_warm_up_can_use_the_kernels(tmp_path: Path) -> None:
    code = f"""
import os
from hypocenter.kernels import warmup
warmup.calls = lambda kernels: []
warmup.warm_up()
child = os.fork()
if child == 0:
    chosen = warmup.select()
    {STATISTICS.replace(chr(10), chr(10) + "    ")}
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    python(code, NUMBA_CACHE_DIR=str(tmp_path))


def test_a_bad_variable_is_kept_as_the_reason_of_the_warm_up() -> None:
    code = "from hypocenter.kernels import warm_up; w = warm_up(); w.wait(60); print(w.failure)"
    assert python(code, HYPOCENTER_KERNELS="x") == "HYPOCENTER_KERNELS is 'x'; it can be 'numpy' or 'numba'.\n"


def test_warm_up_in_this_process() -> None:
    warmup = warm_up()
    assert warmup.wait(120)
    assert warmup.failure is None
    assert warmup.seconds > 0
