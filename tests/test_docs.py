"""What the documentation says is so: generated pages are fresh, examples run, links and commands exist."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from hypocenter.cli import commands
from hypocenter.diagnose.registry import all_rules

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md")]
README = PAGES[0].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generate():
    """docs/generate.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_generated_is_stale(generate):
    assert [path.name for path in generate.stale()] == [], "run `make docs`"


def test_a_changed_page_would_be_noticed(generate, tmp_path, monkeypatch):
    changed = tmp_path / "rules.md"
    changed.write_text(generate.rules_page().replace("HC101", "HC100", 1))
    monkeypatch.setattr(generate, "RULES", changed)
    assert list(generate.stale()) == [changed]
    monkeypatch.setattr(generate, "RULES", tmp_path / "missing.md")
    assert list(generate.stale()) == [tmp_path / "missing.md"]


def test_a_changed_demo_would_be_noticed(generate, tmp_path, monkeypatch):
    demo = tmp_path / "demo.txt"
    demo.write_text("another terminal\n")
    monkeypatch.setattr(generate, "DEMO", demo)
    assert "```text\nanother terminal\n```" in generate.stale()[ROOT / "README.md"]


def test_a_readme_without_a_place_for_the_demo_is_refused(generate):
    with pytest.raises(ValueError, match="no place for the demo"):
        generate.with_demo("# hypocenter\n", "text\n")


def test_every_rule_has_its_row_and_its_page(generate):
    page = generate.rules_page()
    for rule in all_rules():
        assert f"| [{rule.code}](#{rule.code.lower()}-{rule.name}) |" in page
        assert f"\n## {rule.code} {rule.name}\n" in page


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_readme_s_python_runs(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    net = type("Net", (torch.nn.Sequential,), {"__init__": lambda self: torch.nn.Sequential.__init__(
        self, torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1)
    )})  # fmt: skip
    batch = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))

    def train(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(batch), batch.sum(1, keepdim=True)).backward()
            optimizer.step()

    monkeypatch.chdir(tmp_path)
    (text,) = blocks("python")
    names = {"Net": net, "train": train, "batch": batch, "__name__": "readme"}
    exec(compile(text, "README.md", "exec"), names)
    assert capsys.readouterr().out == "healthy []\n"
    assert not names["report"].failing("warning")
    assert [node.op_type for node in names["graph"].nodes] == ["Linear", "Relu", "Linear"]
    assert len(text.strip().splitlines()) <= 12


def test_the_readme_s_commands_exist():
    lines = [line.split("#")[0].split() for block in blocks("sh") for line in block.splitlines()]
    ours = [words for words in lines if words[:1] == ["hypocenter"]]
    assert {words[1] for words in ours} == {"run", "report", "explain", "doctor"}
    for words in ours:
        known = {flag for option in commands.commands[words[1]].params for flag in option.opts}
        script = next((i for i, word in enumerate(words) if word.endswith(".py")), len(words))
        assert {word for word in words[2:script] if word[0] == "-"} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_make_targets_exist(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)|`make (\w+)`", text, re.MULTILINE)) <= {
        pair for name in targets for pair in ((name, ""), ("", name))
    }


def test_the_architecture_page_names_every_folder_and_every_layer():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tops = set(project["tool"]["setuptools"]["package-dir"].values())
    assert {top for top in tops if f"`{top}/`" not in text} == {"diagnose/rules"}
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    short = [layer.replace("hypocenter.", "") for layer in layers if layer.count("hypocenter") == 1 or "|" in layer]
    short.remove("output | explain")
    assert " → ".join(f"`{one}`" for one in short) in " ".join(text.split())


def test_the_architecture_page_names_files_that_exist():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+[\w.]+\.\w+)`", text))
    assert named >= {"probes/fx/patches.py", "docs/report.schema.json"}
    assert [name for name in named if not (ROOT / name).exists()] == []
