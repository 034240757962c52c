"""after_import fires once, late enough, and leaves nothing behind."""

import importlib
import importlib.util
import sys
import zipfile
from importlib.machinery import SourceFileLoader

import pytest

from hypocenter.imports import after_import


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is not imported yet; sys.meta_path must come back as it was."""
    name = "hypocenter_probe_package"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("from . import inner\nloader_seen = __spec__.loader\nDONE = True\n")
    (folder / "inner.py").write_text("VALUE = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.meta_path)
    yield name
    for loaded in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[loaded]
    assert sys.meta_path == before


def test_fires_once_when_the_package_is_complete(package):
    seen = []
    after_import(package, lambda: seen.append(sys.modules[package].DONE))
    assert seen == []
    importlib.import_module(package)
    importlib.import_module(package)
    assert seen == [True]


def test_spec_and_loader_are_the_original_ones(package):
    after_import(package, lambda: None)
    module = importlib.import_module(package)
    assert type(module.__spec__.loader) is SourceFileLoader
    assert module.__loader__ is module.__spec__.loader is module.loader_seen
    assert "exec_module" not in vars(module.__spec__.loader)
    assert vars(module.__spec__.loader).keys() == {"name", "path"}


def test_fires_at_once_when_already_imported(package):
    importlib.import_module(package)
    seen = []
    after_import(package, lambda: seen.append(1))
    assert seen == [1]


def test_asking_for_the_spec_does_not_fire(package):
    seen = []
    disarm = after_import(package, lambda: seen.append(1))
    spec = importlib.util.find_spec(package)
    assert type(spec.loader) is SourceFileLoader
    assert seen == []
    importlib.import_module(package)
    assert seen == [1]
    disarm()


def test_a_failed_import_leaves_it_armed(package, tmp_path):
    seen = []
    init = tmp_path / package / "__init__.py"
    good = init.read_text()
    init.write_text("raise RuntimeError('not today, and a line long enough to change the size')\n")
    after_import(package, lambda: seen.append(1))
    with pytest.raises(RuntimeError):
        importlib.import_module(package)
    assert seen == []
    init.write_text(good)
    importlib.invalidate_caches()
    importlib.import_module(package)
    assert seen == [1]


def test_disarmed_it_does_not_fire(package):
    seen = []
    disarm = after_import(package, lambda: seen.append(1))
    disarm()
    disarm()
    importlib.import_module(package)
    assert seen == []


def test_two_hooks_on_one_name_both_fire(package):
    seen = []
    after_import(package, lambda: seen.append("a"))
    after_import(package, lambda: seen.append("b"))
    importlib.import_module(package)
    assert sorted(seen) == ["a", "b"]


def test_a_package_in_a_zip_whose_loader_is_shared(tmp_path, monkeypatch):
    name = "hypocenter_zipped_package"
    archive = tmp_path / "lib.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"{name}/__init__.py", f"import {name}_helper\nDONE = 1\n")
        file.writestr(f"{name}_helper.py", "")
    monkeypatch.syspath_prepend(str(archive))
    seen = []
    after_import(name, lambda: seen.append(sys.modules[name].DONE))
    importlib.import_module(name)
    assert seen == [1]
    for loaded in (name, f"{name}_helper"):
        del sys.modules[loaded]


def test_what_the_callback_raises_the_import_raises(package):
    def refuse():
        raise ValueError("no")

    after_import(package, refuse)
    with pytest.raises(ValueError, match="no"):
        importlib.import_module(package)
