"""Sample programs whose comments say where each layer is defined."""

import importlib.util
import itertools
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from hypocenter.ir.site import Site
from hypocenter.lower.definitions import Definitions
from hypocenter.lower.fx.construction import ConstructionSites

SAMPLES = Path(__file__).parent / "samples"
MARKER = re.compile(r"# (site|end): (.*?)(?:  # noqa.*)?$")
ENTRY = re.compile(r"(?P<paths>[\w., ]+) @ (?P<text>.*?)(?: \[(?P<answer>range|none)\])?$")


@dataclass
class Expected:
    """The span that a marker gives for a path, and what the source alone can tell of it: exact, range or none."""

    site: Site
    answer: str


def expectations(file: Path) -> dict[str, Expected]:
    """`# site: path, path @ text; …` underlines `text` in its line; `# end: path @ text` ends that span there."""
    found: dict[str, Expected] = {}
    for number, line in enumerate(file.read_text().splitlines(), 1):
        for kind, entries in MARKER.findall(line):
            code = line[: line.index(f"# {kind}: ")]
            for entry in entries.split("; "):
                match = ENTRY.fullmatch(entry.strip())
                assert match, f"bad marker in {file}:{number}: {entry!r}"
                start = code.index(match["text"])
                for path in match["paths"].split(", "):
                    name = "" if path == "." else path
                    end = start + 1 + len(match["text"])
                    if kind == "site":
                        site = Site(str(file), number, None, start + 1, end)
                        found[name] = Expected(site, match["answer"] or "exact")
                    else:
                        first = found[name].site
                        found[name].site = Site(first.file, first.line, number, first.column, end)
    return found


class _OwnModules:
    """`sys` as a program that consists of the sample alone sees it: without the test modules of this process."""

    @property
    def modules(self) -> dict[str, ModuleType]:
        files = {name: Path(getattr(module, "__file__", None) or "").name for name, module in list(sys.modules.items())}
        return {name: sys.modules[name] for name, file in files.items() if not file.startswith(("test_", "conftest"))}


@pytest.fixture(autouse=True)
def program_of_its_own() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:  # not the fixture of that name: it would then outlive the other checks
        patch.setattr("hypocenter.lower.files.sys", _OwnModules())
        yield


_serial = itertools.count()


def load(file: Path) -> ModuleType:
    """A fresh import of a sample, as the user's module."""
    name = f"sample_{file.stem}_{next(_serial)}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def load_sample():
    before = set(sys.modules)
    yield load
    for name in set(sys.modules) - before:
        if name.startswith("sample_"):
            del sys.modules[name]


@pytest.fixture
def expected_sites():
    return expectations


@pytest.fixture(params=sorted(SAMPLES.glob("*.py")), ids=lambda path: path.stem)
def sample(request):
    return request.param


HEADER = """
import sys
import textwrap
import torch
from collections import OrderedDict
from torch import nn
from hypocenter.lower.definitions import Definitions
"""


@pytest.fixture
def header():
    return HEADER


def _covers(site: Site, exact: Site) -> bool:
    """True when the site is the exact one, or a range of lines that holds it."""
    if site == exact:
        return True
    last = exact.end_line or exact.line
    return (
        site.column is None
        and site.file == exact.file
        and site.line <= exact.line <= last <= (site.end_line or site.line)
    )


def _named(module, path=""):
    yield path, module
    for name, child in module._modules.items():
        yield from _named(child, f"{path}.{name}" if path else name)


@pytest.fixture
def covers():
    return _covers


@pytest.fixture
def named():
    """Paths and modules, shared ones under every path; `named_modules` would hash the modules."""
    return _named


@pytest.fixture
def program(tmp_path, load_sample):
    """Runs a program's text and compares, for every module of its `model`, the source's answer with the frames'."""

    def run(text):
        file = tmp_path / f"program{len(list(tmp_path.iterdir()))}.py"
        file.write_text(HEADER + textwrap.dedent(text))
        with ConstructionSites() as sites:
            module = load_sample(file)
        root = module.model
        made = getattr(module, "definitions", None)
        definitions = Definitions.of(root, Site(str(file), 1)) if made is None else made
        answers = {}
        for path, part in _named(root):
            found, exact = definitions.site(path), sites.site_for(part, path, root)
            assert found is None or (exact is not None and _covers(found, exact)), (path, found, exact)
            answers[path] = "none" if found is None else "range" if found.column is None else "exact"
        return answers

    return run
