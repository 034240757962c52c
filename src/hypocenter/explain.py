"""The explanation pages of the rules, and other tables of the command line, set for a terminal."""

import difflib
import inspect
import re
from collections.abc import Iterable

from rich.text import Text

from hypocenter.diagnose.registry import all_rules, rule, targets
from hypocenter.diagnose.rule import Rule
from hypocenter.errors import BadInputError
from hypocenter.report.renderers import Surface
from hypocenter.report.text import Page, draw

_CODE = re.compile(r"HC\d{3}", re.IGNORECASE)


def find(name: str) -> Rule:
    """The rule with this code (`HC301`) or name (`dead-units`).

    Raises:
        BadInputError: There is none; the nearest ones are named.
    """
    by_name = {one.name: one.code for one in all_rules()}
    code = by_name.get(name.lower(), name.upper())
    if code in targets():
        return rule(code)
    known = list(targets()) if _CODE.fullmatch(name) else [*by_name, *targets()]
    near = difflib.get_close_matches(code if _CODE.fullmatch(name) else name.lower(), known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `hypocenter explain` lists them"
    raise BadInputError(f"there is no rule {name!r}{hint}", slug="no-such-rule")


def page(name: str, surface: Surface) -> str:
    """The docstring of a rule as a page: its head, then paragraphs under their headings."""
    found = find(name)
    paper = Page(surface)
    facts = [("fault", found.fault.replace("_", " ")), ("severity", f"{found.severity} at most")]
    lines = [Text.assemble((found.code, "bold red"), (f" {found.name}", "bold")), *paper.table(facts, "  "), Text()]
    for block in re.split(r"\n\s*\n", inspect.getdoc(found) or found.summary):
        lines += [*_block(block, paper), Text()]
    return draw(lines, surface)


def _block(block: str, paper: Page) -> Iterable[Text]:
    """A heading, or a paragraph set to the width; lists and indented code keep their lines."""
    first, _, rest = block.partition("\n")
    if first.startswith("## "):
        yield Text(first.removeprefix("## "), "bold")
        block = rest
    kept = re.match(r"\s|[-*] |```", block) is not None
    for paragraph in block.splitlines() if kept else [block]:
        if kept:
            yield Text(f"  {paragraph}")
        else:
            yield from paper.wrapped(" ".join(paragraph.split()), "  ")


def listing(surface: Surface) -> str:
    """Every rule with its name and summary."""
    rows = [(f"{one.code} {one.name}", one.summary) for one in all_rules()]
    return table(rows, surface)


def table(rows: list[tuple[str, str]], surface: Surface) -> str:
    """Aligned `name  value` lines."""
    return draw(Page(surface).table(rows, "", style="bold"), surface)
