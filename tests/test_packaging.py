"""What is shipped: the folders on disk, the package list and the links agree, and wheel and sdist hold just that."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from hypocenter import _version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
LINKS = ROOT / "src/hypocenter"
NOT_SHIPPED = {"tests", "benchmarks", "docs", "examples", "src", "build", "dist"}


def folder_of(package):
    return ROOT / SETUPTOOLS["package-dir"][package]


def packages_on_disk(root):
    """Every folder with Python files, by the name that it is imported under."""
    tops = [path for path in root.iterdir() if path.is_dir() and path.name not in NOT_SHIPPED and path.name[0] != "."]
    folders = {path.parent.relative_to(root) for top in tops for path in top.rglob("*.py")}
    return {"hypocenter"} | {".".join(("hypocenter", *folder.parts)) for folder in folders}


def run(*command, cwd=ROOT, **env):
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_package_list_is_what_is_on_disk():
    assert set(SETUPTOOLS["packages"]) == packages_on_disk(ROOT)
    assert SETUPTOOLS["packages"] == sorted(set(SETUPTOOLS["packages"]))


def test_a_folder_that_is_not_listed_would_be_noticed(tmp_path):
    (tmp_path / "ir/extra").mkdir(parents=True)
    (tmp_path / "ir/extra/new.py").touch()
    assert packages_on_disk(tmp_path) == {"hypocenter", "hypocenter.ir.extra"}


@pytest.mark.parametrize("package", SETUPTOOLS["packages"])
def test_each_package_is_in_the_folder_of_its_name(package):
    path = package.removeprefix("hypocenter").removeprefix(".").replace(".", "/")
    assert SETUPTOOLS["package-dir"][package] == (path or "src/hypocenter")
    assert (folder_of(package) / "__init__.py").is_file()


def test_links_are_the_top_packages():
    tops = {package.split(".")[1] for package in SETUPTOOLS["packages"] if "." in package}
    links = {path.name: path.readlink() for path in LINKS.iterdir() if path.is_symlink()}
    assert links == {top: Path(f"../../{top}") for top in tops}
    assert not [path for path in LINKS.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "_"]


def test_static_tools_and_packagers_see_the_same_files():
    for package in SETUPTOOLS["packages"]:
        linked = ROOT / "src" / package.replace(".", "/")
        assert linked.resolve() == folder_of(package).resolve()


EVERY_MODULE = """
import collections, importlib, json, os, pathlib, pkgutil, sys
import hypocenter
for info in pkgutil.walk_packages(hypocenter.__path__, "hypocenter."):
    if not info.name.endswith("__main__"):
        importlib.import_module(info.name)
names = collections.defaultdict(list)
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and os.path.exists(file):
        names[os.path.realpath(file)].append(name)
root = os.path.realpath(sys.argv[1])
print(json.dumps({path: seen for path, seen in names.items() if path.startswith(root + os.sep)}))
"""


def test_no_file_is_loaded_under_two_names():
    code, shown = run("-c", EVERY_MODULE, str(ROOT), PYTHONPATH=str(ROOT / "src"))
    assert code == 0, shown
    loaded = {path: names for path, names in json.loads(shown.splitlines()[-1]).items() if "/.venv/" not in path}
    assert len(loaded) > 100
    assert {path: names for path, names in loaded.items() if len(names) > 1 or names[0][:10] != "hypocenter"} == {}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the repository to build in: builds leave files behind."""
    target = tmp_path_factory.mktemp("tree") / "hypocenter"
    target.mkdir()
    for path in ROOT.iterdir():
        if path.name[0] == "." or path.name in ("build", "dist") or path.suffix == ".egg-info":
            continue
        if path.is_dir():
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, target / path.name, symlinks=True, ignore=skip)
        else:
            shutil.copy(path, target / path.name)
    return target


@pytest.fixture(scope="module")
def built(tree):
    """An sdist, and the wheel that is made from it as an installer would: no network, no links."""
    out = tree.parent / "out"
    hook = "import sys, setuptools.build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"
    code, shown = run("-c", hook, "sdist", str(out), cwd=tree)
    assert code == 0, shown
    sdist = next(out.glob("*.tar.gz"))
    with tarfile.open(sdist) as archive:
        archive.extractall(tree.parent / "unpacked", filter="data")
    code, shown = run("-c", hook, "wheel", str(out), cwd=next((tree.parent / "unpacked").iterdir()))
    assert code == 0, shown
    return sdist, next(out.glob("*.whl"))


def shipped():
    """The Python files of all packages, as the wheel names them."""
    return {
        f"{package.replace('.', '/')}/{path.name}"
        for package in SETUPTOOLS["packages"]
        for path in folder_of(package).glob("*.py")
    }


def test_wheel_holds_the_packages_and_nothing_else(built):
    names = zipfile.ZipFile(built[1]).namelist()
    info = f"hypocenter-{_version.__version__}.dist-info"
    assert len(names) == len(set(names))
    assert {name for name in names if not name.startswith(info)} == shipped() | {"hypocenter/py.typed"}
    assert f"{info}/licenses/LICENSE" in names


def test_sdist_holds_each_file_once(built):
    with tarfile.open(built[0]) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    inside = {member.name.partition("/")[2] for member in members if member.isfile()}
    expected = {str((folder_of(package) / "x").relative_to(ROOT).parent) for package in SETUPTOOLS["packages"]}
    python = {name for name in inside if name.endswith(".py")}
    assert {str(Path(name).parent) for name in python} == expected
    assert len(python) == len(shipped())
    assert {"LICENSE", "README.md", "pyproject.toml", "src/hypocenter/py.typed"} <= inside


def test_wheel_works_without_the_repository(built, tmp_path):
    zipfile.ZipFile(built[1]).extractall(tmp_path)
    probe = (
        "import hypocenter.ir, hypocenter.session, hypocenter.cli; print(hypocenter.__file__, hypocenter.ir.__file__)"
    )
    code, shown = run("-P", "-c", probe, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert code == 0, shown
    assert shown.split() == [str(tmp_path / "hypocenter/__init__.py"), str(tmp_path / "hypocenter/ir/__init__.py")]
    code, shown = run("-P", "-m", "hypocenter", "explain", "HC101", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert code == 0, shown
    assert "HC101 non-finite-activation" in shown


def test_metadata(built):
    wheel = zipfile.ZipFile(built[1])
    info = f"hypocenter-{_version.__version__}.dist-info"
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert f"Version: {_version.__version__}\n" in metadata
    assert "Requires-Python: >=3.11\n" in metadata
    assert "License-Expression: Apache-2.0\n" in metadata
    core = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert set(core) == {"numpy", "numba", "onnx", "onnx-ir", "pyarrow", "rich", "click"}
    assert set(re.findall(r"^Provides-Extra: (\w+)$", metadata, re.MULTILINE)) == {
        "torch", "keras", "onnx", "demo", "dev", "all",
    }  # fmt: skip
    assert "hypocenter = hypocenter.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_every_dependency_is_pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and line[0] != "#"]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*", pin) for pin in pins)
    names = [pin.partition("==")[0] for pin in pins]
    assert names == sorted(set(names))
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    wanted = {re.match(r"[\w-]+", one)[0].lower() for group in groups for one in group} - {"hypocenter"}
    assert wanted <= set(names)


BANNED = (
    "torch", "tensorflow", "keras", "onnxruntime", "numba", "pyarrow",
    "ir", "kernels", "probes", "lower", "rewrite", "diagnose", "report",
)  # fmt: skip


@pytest.mark.parametrize("place", [
    "ir/x.py", "lower/x.py", "rewrite/x.py", "probes/x.py", "diagnose/x.py", "diagnose/rules/x.py", "report/x.py",
    "src/hypocenter/x.py",
])  # fmt: skip
def test_ruff_refuses_each_banned_import(place):
    text = "".join(f"import {name}.part\nfrom {name} import part\n" for name in BANNED) + "from . import part\n"
    assert refused(place, text) == set(range(1, 2 * len(BANNED) + 2))


@pytest.mark.parametrize(("place", "name"), [
    ("probes/fx/x.py", "torch"), ("lower/fx/x.py", "torch"), ("kernels/x.py", "numba"), ("probes/store.py", "pyarrow"),
])  # fmt: skip
def test_ruff_lets_each_import_pass_where_it_belongs(place, name):
    assert refused(place, f"import {name}\n") == set()


def refused(place, text):
    """The lines whose import ruff refuses in a file of that name."""
    command = ["ruff", "check", "--no-cache", "--select", "TID", "--output-format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", *command, "--stdin-filename", place, "-"],
        cwd=ROOT, input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {one["location"]["row"] for one in json.loads(done.stdout)}


def contracts(tree):
    """The contracts that import-linter finds broken in a copy of the repository."""
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    code, shown = run("-c", command, cwd=tree, PYTHONPATH=str(tree / "src"))
    assert "Contracts: " in shown, shown
    assert code == (1 if " BROKEN" in shown else 0)
    return set(re.findall(r"^(.+) BROKEN", shown, re.MULTILINE))


def test_import_linter_keeps_the_layers_and_the_frameworks_in_their_places(tree):
    assert contracts(tree) == set()
    bad = {
        "ir/bad_layer.py": "import hypocenter.probes.schema\n",
        "lower/bad_sibling.py": "import hypocenter.rewrite.plan\n",
        "kernels/bad_torch.py": "import torch\n",
        "probes/fx/bad_numba.py": "import numba\n",
        "kernels/bad_arrow.py": "import pyarrow.parquet\n",
        "probes/fx/bad_keras.py": "import keras\n",
    }
    for name, text in bad.items():
        (tree / name).write_text(text)
    try:
        assert contracts(tree) == {
            "layers", "torch only in fx", "numba only in kernels", "pyarrow only in the trace store",
            "no other framework yet",
        }  # fmt: skip
    finally:
        for name in bad:
            (tree / name).unlink()
