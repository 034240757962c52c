import re

import pytest

from hypocenter.diagnose import registry
from hypocenter.diagnose.rule import Rule
from hypocenter.errors import BadInputError

HEADINGS = ["What it does", "Why it is bad", "Known problems", "Example", "References"]


@pytest.mark.parametrize("code", registry.targets())
def test_every_rule_says_what_it_is(code):
    rule = registry.rule(code)
    assert rule.code == code
    assert isinstance(rule, Rule)
    stem = registry.targets()[code].rpartition(".")[2].partition(":")[0]
    assert rule.name == stem.partition("_")[2].replace("_", "-")
    assert rule.severity in ("error", "warning", "note")
    assert rule.summary.endswith(".")
    found = [heading for heading in re.findall(r"^\s*#+ *(.+?) *$", rule.__doc__ or "", re.M) if heading in HEADINGS]
    assert found == HEADINGS


def test_codes_are_in_order():
    assert list(registry.targets()) == sorted(registry.targets())
    assert {"HC101", "HC106", "HC901", "HC903"} <= set(registry.targets())


def test_a_clash_names_both():
    with pytest.raises(ValueError, match=r"HC101 is claimed by both 'a\.hc101_one:One' and 'b\.hc101_two'"):
        registry.targets_of({"hc101_one": "a.hc101_one", "hc101_two": "b.hc101_two"})


def test_other_modules_are_passed_over():
    assert registry.targets_of({"helpers": "r.helpers", "hc7_short": "r.hc7_short"}) == {}


def test_an_unknown_code_names_its_neighbours():
    with pytest.raises(BadInputError, match=r"no rule 'HC199'; there are HC101, .*HC106\.") as caught:
        registry.rule("HC199")
    assert caught.value.slug == "no-such-rule"


def test_codes_may_be_written_small():
    assert registry.rule("hc101").code == "HC101"
