"""Options: checked values, and where they come from."""

from pathlib import Path

import pytest

from hypocenter.config import Options
from hypocenter.errors import BadInputError


def test_the_defaults_are_valid():
    options = Options()
    assert (options.format, options.fail_on, options.every, options.budget) == (("text",), "error", 1, None)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("format", ("yaml",), "'yaml'"),
        ("format", (), "()"),
        ("fail_on", "fatal", "'fatal'"),
        ("select", ("X1",), "'X1'"),
        ("select", 3, "3"),
        ("ignore", ("HC1234",), "'HC1234'"),
        ("budget", 0, "0"),
        ("budget", float("nan"), "nan"),
        ("budget", True, "True"),
        ("every", 0, "0"),
        ("every", 1.5, "1.5"),
        ("every", True, "True"),
        ("stop_on", "warning", "'warning'"),
        ("quiet", "yes", "'yes'"),
        ("output", 3, "3"),
    ],
)
def test_a_bad_value_is_one_sentence_with_its_name_and_repr(field, value, said):
    with pytest.raises(BadInputError) as caught:
        Options(**{field: value})
    assert field.replace("_", "-") in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_codes_may_be_lists_and_comma_separated_and_lower_case():
    assert Options(select=("hc301,HC1", "HC20")).select == ("HC301", "HC1", "HC20")


def test_the_nearest_pyproject_is_read_and_overridden(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.hypocenter]\nfail-on = "warning"\nevery = 5\nselect = ["HC1"]\nbaseline = "old.json"\nbudget = 15\n'
    )
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    options = Options.load(inner, {"every": 2})
    assert (options.fail_on, options.every, options.select, options.budget) == ("warning", 2, ("HC1",), 15.0)
    assert options.baseline == tmp_path.resolve() / "old.json"


def test_a_nearer_pyproject_without_the_table_wins(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.hypocenter]\nevery = 5\n")
    inner = tmp_path / "a"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert Options.load(inner, {}).every == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.hypocenter]\nfail_onn = 'error'\n", "did you mean 'fail-on'"),
        ("[tool.hypocenter]\nzzz = 1\n", "known are format"),
        ("[tool.hypocenter]\nevery = 'all'\n", "'all'"),
        ("[tool]\nhypocenter = 3\n", "must be a table"),
        ("[tool.hypocenter\n", "TOML"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, said):
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(BadInputError) as caught:
        Options.load(tmp_path, {})
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_this_repository_s_own_file_is_accepted():
    assert Options.load(Path(__file__).parent, {}) == Options()
