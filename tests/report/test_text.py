"""The report in the terminal. Golden files: set HYPOCENTER_UPDATE_GOLDEN=1 to write them anew."""

import io
import os
import pty
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hypocenter.diagnose.finding import Fix
from hypocenter.errors import BadInputError
from hypocenter.ir.site import Site
from hypocenter.report.model import Coverage
from hypocenter.report.renderers import TARGETS, Surface, renderer, to_text, write
from hypocenter.report.source import frame

GOLDEN = Path(__file__).parent / "golden"

SURFACES = {
    "full.txt": Surface(width=100),
    "narrow_ascii.txt": Surface(width=60, terminal=True, unicode=False),
    "quiet.txt": Surface(width=100, quiet=True),
}


def check_golden(name, text):
    path = GOLDEN / name
    if os.environ.get("HYPOCENTER_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SURFACES)
def test_golden(report, name):
    check_golden(name, renderer("text").render(report, SURFACES[name]))


def test_golden_healthy(healthy):
    check_golden("healthy.txt", to_text(healthy))
    assert str(healthy) == to_text(healthy)
    assert renderer("text").render(healthy, Surface(quiet=True)) == ""


def test_plain_text_has_no_escapes_and_color_only_adds_them(report):
    plain = renderer("text").render(report, Surface(width=100, terminal=True))
    colored = renderer("text").render(report, Surface(width=100, terminal=True, color=True))
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain
    for severity, code in (("error[HC301]", "1;31"), ("warning[HC204]", "1;33"), ("note[HC902]", "1;36")):
        assert f"\x1b[{code}m{severity}\x1b[0m" in colored


@pytest.mark.parametrize("width", [20, 40, 79, 200])
def test_code_and_prose_keep_to_the_width_of_a_terminal(report, width):
    text = renderer("text").render(report, Surface(width=width, terminal=True))
    framed = [line for line in text.splitlines() if "│" in line or line.startswith("──")]
    assert framed
    assert max(map(len, framed)) <= width


def test_undecided_says_why(healthy):
    text = to_text(replace(healthy, undecided="The model was called but never trained."))
    assert "train.py could not be judged: the model was called but never trained\n" in text
    assert "12 of 12 probed" in text


def test_nothing_to_judge_is_one_sentence(healthy):
    nothing = replace(healthy, undecided="Nothing was recorded: no model was called.", coverage=Coverage())
    sentence = "hypocenter: train.py could not be judged: nothing was recorded: no model was called\n"
    assert to_text(nothing) == sentence
    assert renderer("text").render(nothing, Surface(quiet=True)) == sentence


def test_ascii_surface_is_ascii_but_for_the_source(report):
    text = renderer("text").render(report, Surface(unicode=False))
    assert {c for c in text if not c.isascii()} == set("öß日本")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write(text, stream)
    assert rb"gr\xf6\xdfe" in stream.buffer.getvalue()


def test_what_a_stream_can_show(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Surface.of(io.TextIOWrapper(io.BytesIO(), encoding="ascii")) == Surface(unicode=False)
    assert Surface.of(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), quiet=True) == Surface(quiet=True)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        assert Surface.of(stream).color
        monkeypatch.setenv("NO_COLOR", "1")
        assert not Surface.of(stream).color
        assert Surface.of(stream).terminal
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "dumb")
        assert not Surface.of(stream).color
        monkeypatch.setenv("COLUMNS", "33")
        assert Surface.of(stream).width == 33
    os.close(master)


def test_escapes_in_a_program_s_text_stay_text(report, findings):
    evil = "\x1b]0;owned\x07 <script>alert(1)</script> \u202e"
    bad = replace(
        findings[0], layer=evil, message=evil, evidence={evil: evil, "also": [{"rule": "HC1", "message": evil}]},
        fix=Fix(evil), location=Site("gone.py", 3, column=1, end_column=4, snippet=evil),
        related=(Site(evil, 1, snippet=evil),),
    )  # fmt: skip
    evil_report = replace(report, findings=(bad,), undecided=evil, run=evil, program=replace(report.program, path=evil))
    for name in TARGETS:
        text = renderer(name).render(evil_report, Surface())
        if name in ("text", "junit"):
            assert not {"\x1b", "\x07", "\u202e"} & set(text)
        if name == "html":
            assert "<script" not in text


def test_a_site_whose_file_is_gone_or_changed_shows_what_was_recorded(program, findings):
    site = replace(findings[0].location, snippet="        other(self.fc1.bias)")
    assert [line.text for line in frame(site)] == ["        other(self.fc1.bias)"]
    assert frame(replace(site, file="gone.py", snippet=None)) == []
    assert frame(replace(site, line=999, snippet=None)) == []


def test_spans_count_shown_characters(program):
    (program / "odd.py").write_text("if x:\n\tf(a,\tb)  \n\n\n", encoding="utf-8")
    [_, line] = frame(Site(str(program / "odd.py"), 2, column=2, end_column=9))
    assert line.text == "    f(a,    b)"
    assert line.text[slice(*line.span)] == "f(a,    b)"
    [_, line] = frame(Site(str(program / "odd.py"), 2, column=90, end_column=95))
    assert line.text[slice(*line.span)] == ")"


def test_wide_characters_are_underlined_by_their_width(report, findings, program):
    (program / "wide.py").write_text('x = "日本" + y\n', encoding="utf-8")
    one = replace(findings[0], location=Site(str(program / "wide.py"), 1, column=12, end_column=13))
    text = renderer("text").render(replace(report, findings=(one,)), Surface())
    assert "    │              ^ dead units" in text  # nine columns before the text, two for each of the two signs


def test_a_long_site_is_shortened(program):
    (program / "long.py").write_text("\n".join(f"line{i}" for i in range(1, 41)))
    lines = frame(Site(str(program / "long.py"), 10, end_line=30))
    assert [line.number for line in lines] == [8, 9, 10, 11, 12, 13, None, 27, 28, 29, 30, 31, 32]


def test_an_undecodable_file_is_no_frame(program):
    (program / "bad.py").write_bytes(b"x = '\xff'\n")
    assert frame(Site(str(program / "bad.py"), 1)) == []


def test_an_unknown_format_is_refused():
    with pytest.raises(BadInputError, match="'yaml'"):
        renderer("yaml")


@pytest.mark.parametrize(("unicode", "mark"), [(True, "…"), (False, "<")])
def test_a_span_beyond_the_width_is_scrolled_into_view(report, findings, program, unicode, mark):
    code = f"{'x = 1; ' * 12}bad(x)"
    (program / "long.py").write_text(f"{code}\n\n")
    one = replace(findings[0], location=Site(str(program / "long.py"), 1, column=85, end_column=91))
    text = renderer("text").render(replace(report, findings=(one,)), Surface(40, terminal=True, unicode=unicode))
    lines = text.splitlines()
    under = next(line for line in lines if "^^^" in line)
    shown = lines[lines.index(under) - 1]
    assert shown[slice(under.index("^"), under.rindex("^") + 1)] == "bad(x)"
    assert mark in shown
    assert len(shown) <= 40
    file = renderer("text").render(replace(report, findings=(one,)), Surface(40))
    assert code in file
