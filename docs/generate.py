"""Writes what the documentation takes from the program: the page of rules, and the demo's terminal in the README.

Run: python docs/generate.py. tests/test_docs.py fails while any of it is stale.
"""

import inspect
import re
from pathlib import Path

from hypocenter.diagnose.registry import all_rules
from hypocenter.diagnose.rule import Rule

ROOT = Path(__file__).resolve().parent.parent
README, DEMO, RULES = ROOT / "README.md", ROOT / "docs/demo.txt", ROOT / "docs/rules.md"

GROUPS = {
    "HC1": "Numerics",
    "HC2": "Gradients and updates",
    "HC3": "Activations",
    "HC4": "Loss and learning curve",
    "HC5": "Structure",
    "HC6": "Data and labels",
    "HC7": "Training configuration",
    "HC8": "Conversion and parity",
    "HC9": "The tool itself",
}

_BEGIN, _END = "<!-- docs/demo.txt, by docs/generate.py -->\n```text\n", "```\n<!-- end of docs/demo.txt -->"


def rules_page() -> str:
    """`docs/rules.md`: a table of all rules, then the explanation page of each, as `hypocenter explain` shows it."""
    rules = all_rules()
    lines = [
        "# Rules",
        "",
        "Generated from the rules by `make docs`; `hypocenter explain CODE` shows the same pages in a terminal.",
        "A finding names its rule; `--select` and `--ignore` take codes or their beginnings (`HC3`).",
    ]
    for prefix, title in GROUPS.items():
        group = [rule for rule in rules if rule.code.startswith(prefix)]
        if group:
            lines += ["", f"## {prefix}xx: {title}", "", "| code | name | severity at most | fault | summary |"]
            lines += ["| --- | --- | --- | --- | --- |", *map(_row, group)]
    for rule in rules:
        lines += ["", *_page(rule)]
    return "\n".join(lines) + "\n"


def _row(rule: Rule) -> str:
    link = f"[{rule.code}](#{rule.code.lower()}-{rule.name})"
    return f"| {link} | {rule.name} | {rule.severity} | {rule.fault.replace('_', ' ')} | {rule.summary} |"


def _page(rule: Rule) -> list[str]:
    """The docstring, its headings one level below the rule's own."""
    text = re.sub(r"(?m)^(#+) ", r"#\1 ", inspect.getdoc(rule) or rule.summary)
    return [f"## {rule.code} {rule.name}", "", *text.splitlines()]


def with_demo(readme: str, demo: str) -> str:
    """The README with the demo's terminal in its place.

    Raises:
        ValueError: The README has no such place.
    """
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"README.md has no place for the demo, between {_BEGIN!r} and {_END!r}")
    return f"{before}{begin}{demo}{end}{after}"


def stale() -> dict[Path, str]:
    """The files that are not as they should be, and how they should be."""
    demo = DEMO.read_text(encoding="utf-8")
    wanted = {RULES: rules_page(), README: with_demo(README.read_text(encoding="utf-8"), demo)}
    return {
        path: text for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }


if __name__ == "__main__":
    for path, text in stale().items():
        path.write_text(text, encoding="utf-8")
