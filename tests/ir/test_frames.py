"""Spans from frames, and whose code a frame runs."""

import collections.abc
import linecache
import subprocess
import sys
import textwrap
from types import CodeType, FrameType

import numpy as np
import pytest

from hypocenter.ir import frames
from hypocenter.ir.frames import Owner, call_sites, is_library, owner_of, site_of, user_frame, with_snippet
from hypocenter.ir.site import Site


def here(*_: object) -> FrameType:
    return sys._getframe(1)


def spot(*_: object) -> Site:
    return site_of(sys._getframe(1))


def underlined(site: Site) -> str:
    """The text a site covers, its lines joined."""
    lines = [linecache.getline(site.file, n) for n in range(site.line, (site.end_line or site.line) + 1)]
    assert site.column is not None
    assert site.end_column is not None
    lines[-1] = lines[-1][: site.end_column - 1]
    lines[0] = lines[0][site.column - 1 :]
    return "".join(lines)


def load(source: str, filename: str, name: str = "some_module") -> dict[str, object]:
    namespace: dict[str, object] = {"__name__": name, "spot": spot, "here": here}
    exec(compile(textwrap.dedent(source), filename, "exec"), namespace)
    return namespace


def test_span_of_a_call_expression():
    site = [0, spot(1, 2), 3][1]
    assert underlined(site) == "spot(1, 2)"
    assert site.file == __file__
    assert site.end_line is None
    assert not site.library


def test_span_over_several_lines():
    site = spot(
        1,
        2,
    )
    assert site.end_line == site.line + 3
    assert underlined(site).split() == ["spot(", "1,", "2,", ")"]


def test_columns_count_characters_not_bytes():
    site = ["größe €", spot("ü")][1]
    assert underlined(site) == 'spot("ü")'
    line = linecache.getline(__file__, site.line)
    assert site.column == line.index("spot") + 1
    assert site.column < line.encode().index(b"spot") + 1, "the line must hold multi-byte characters before the call"


def test_two_calls_on_one_line_are_told_apart():
    first, second = spot(), spot()
    assert first.line == second.line
    assert first.column < second.column


def test_equal_code_in_two_files_is_told_apart(tmp_path):
    source = "def f():\n    return spot()\n"
    paths = [tmp_path / "a.py", tmp_path / "b.py"]
    for path in paths:
        path.write_text(source)
    functions = [load(source, str(path))["f"] for path in paths]
    assert functions[0].__code__ == functions[1].__code__, "Python calls these code objects equal"
    assert [function().file for function in functions] == [str(path) for path in paths]


def test_without_source_there_are_no_columns():
    site = load("site = spot()", "/nowhere/gone.py")["site"]
    assert (site.file, site.line, site.column, site.end_column) == ("/nowhere/gone.py", 1, None, None)


def test_file_that_changed_since_it_was_compiled_gives_no_columns_beyond_its_lines(tmp_path):
    path = tmp_path / "edited.py"
    path.write_text("x = 1\n")
    site = load("x = [1, 2, 3, spot()][3]", str(path))["x"]
    assert (site.line, site.column) == (1, None)


def test_without_debug_ranges_the_line_is_still_right(tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(
        "import sys\nfrom hypocenter.ir.frames import site_of\n\nprint(site_of(sys._getframe()).to_dict())\n"
    )
    command = [sys.executable, "-X", "no_debug_ranges", str(script)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "'line': 4" in result.stdout
    assert "column" not in result.stdout


def test_snippet_is_read_on_demand():
    site = spot()  # this comment is part of the snippet
    assert site.snippet is None
    assert with_snippet(site).snippet == "    site = spot()  # this comment is part of the snippet"
    assert with_snippet(Site("/nowhere/gone.py", 3)) == Site("/nowhere/gone.py", 3)


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        (np.__file__, True),
        (collections.abc.__file__, True),
        (textwrap.__file__, True),
        (pytest.__file__, True),
        ("<frozen importlib._bootstrap>", True),
        ("<string>", True),
        ("<eval_with_key>.3", True),
        ("<__array_function__ internals>", True),
        ("/usr/lib/python3/dist-packages/thing/a.py", True),
        ("/home/ann/.cache/huggingface/modules/transformers_modules/bert/a.py", True),
        ("<ipython-input-4-0123456789ab>", False),
        ("<stdin>", False),
        ("<doctest thing[0]>", False),
        ("/tmp/ipykernel_42/123.py", False),
        ("/home/ann/project/src/net/model.py", False),
        ("/home/ann/site-packages-copy/train.py", False),
        ("train.py", False),
        (__file__, False),
    ],
)
def test_whose_file(filename, expected):
    assert is_library(filename) is expected


@pytest.mark.parametrize(
    ("module", "filename", "owner"),
    [
        ("torch", "/home/ann/pytorch/torch/a1.py", Owner.MACHINERY),
        ("torch.nn.modules.linear", "/home/ann/pytorch/torch/a2.py", Owner.MACHINERY),
        ("torchmine", "/home/ann/torchmine/a3.py", Owner.USER),
        ("hypocenter.session", "/home/ann/hypocenter/session.py", Owner.MACHINERY),
        ("hypocenter_demo", "/home/ann/hypocenter/demo.py", Owner.USER),
        ("numpy.linalg", "/x/site-packages/numpy/linalg.py", Owner.LIBRARY),
        ("__main__", "<string>", Owner.USER),
        ("attr._make", "<string>", Owner.MACHINERY),
    ],
)
def test_whose_frame(module, filename, owner):
    assert owner_of(load("frame = here()", filename, module)["frame"]) is owner


def test_methods_written_by_dataclass_are_not_the_users_line():
    source = """
        from dataclasses import dataclass, field
        @dataclass
        class Net:
            frame: object = field(default_factory=lambda: here())
    """
    namespace = load(source, "<stdin>", "__main__")
    inner = namespace["Net"]().frame
    assert inner.f_back.f_code.co_filename == "<string>"
    assert owner_of(inner.f_back) is Owner.MACHINERY
    assert owner_of(inner) is Owner.USER


def nested(*layers: tuple[str, str]) -> FrameType:
    """The innermost of frames that call each other: (module, filename) from the outside in."""
    namespace: dict[str, object] = {"inner": here}
    for module, filename in reversed(layers):
        namespace = load("def call():\n    return inner()\n", filename, module) | {"inner": namespace["inner"]}
        function = namespace["call"]
        function.__globals__["inner"] = namespace["inner"]
        namespace = {"inner": function}
    return namespace["inner"]()


USER = ("train", "/home/ann/train.py")
LIBRARY = ("transformers.gpt2", "/x/site-packages/transformers/gpt2.py")
TORCH = ("torch.nn", "/x/site-packages/torch/nn.py")
STANDARD = ("contextlib", textwrap.__file__)


def test_call_sites_skip_torch_and_the_standard_library():
    call, user = call_sites(nested(USER, LIBRARY, STANDARD, TORCH))
    assert call is not None
    assert user is not None
    assert (call.file, call.library) == (LIBRARY[1], True)
    assert (user.file, user.library) == (USER[1], False)


def test_call_sites_are_one_when_the_user_calls_torch():
    call, user = call_sites(nested(LIBRARY, USER, TORCH, TORCH))
    assert call is user
    assert call is not None
    assert (call.file, call.role) == (USER[1], "call")


def test_call_sites_without_user_code():
    frame = nested(LIBRARY, TORCH)
    while frame.f_back is not None and frame.f_code.co_filename != LIBRARY[1]:
        frame = frame.f_back
    assert call_sites(None) == (None, None)
    outside = user_frame(frame)
    assert outside is not None
    assert outside.f_code.co_filename == __file__


def test_caches_are_bounded(monkeypatch):
    monkeypatch.setattr(frames, "MAX_REMEMBERED", 5)
    monkeypatch.setattr(frames, "_sites", {})
    monkeypatch.setattr(frames, "_owners", {})
    for number in range(20):
        site = load("site = spot()", f"/home/ann/cell_{number}.py")["site"]
        assert site.file == f"/home/ann/cell_{number}.py"
        assert len(frames._sites) <= 5
        assert len(frames._owners) <= 5


def test_cache_keeps_the_code_whose_identity_is_its_key(monkeypatch):
    monkeypatch.setattr(frames, "_sites", {})
    site = load("site = spot()", "/home/ann/once.py")["site"]
    (entry,) = frames._sites.values()
    assert isinstance(entry[0], CodeType)
    assert entry[1] is site
