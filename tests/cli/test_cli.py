"""The command line: what is parsed, printed and returned. The session behind it is a stand-in."""

import json
import os
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from hypocenter import cli
from hypocenter._version import __version__
from hypocenter.diagnose.finding import Finding
from hypocenter.diagnose.registry import targets
from hypocenter.errors import BadInputError, BadRunError
from hypocenter.ir.site import Site
from hypocenter.report.model import Coverage, Program, Report
from hypocenter.runner import Outcome


def finding(severity, rule="HC301", layer="fc1"):
    return Finding(
        rule, "dead-units", severity, "initialization", 0.9, layer, "forward", Site("train.py", 1), "They are dead."
    )


@pytest.fixture
def session(monkeypatch, tmp_path):
    """A session that gives `report` and `outcome`, and keeps what it was asked."""
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("hypocenter.session")
    module.report = Report(Program("train.py", ("torch",), "completed", None, 3), (), Coverage(1, 1))
    module.outcome = Outcome("completed")
    module.asked = []

    def answer(*asked, **named):
        module.asked.append((*asked, named) if named else asked)
        if isinstance(module.report, Exception):
            raise module.report
        return module.report

    module.run_script = lambda *asked: (answer(*asked), module.outcome)
    module.check_path = answer
    module.diagnose = answer
    monkeypatch.setitem(sys.modules, "hypocenter.session", module)
    return module


def test_version_and_help(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"hypocenter {__version__}\n"
    for command in ([], ["run"], ["check"], ["report"], ["explain"], ["doctor"]):
        assert cli.main([*command, "--help"]) == 0
        assert "Usage: hypocenter" in capsys.readouterr().out


@pytest.mark.parametrize(("args", "said"), [
    ([], "Missing command"), (["fly"], "'fly'"), (["run"], "Missing argument"),
    (["run", "--formt", "json", "x"], "--format"),
    (["run", "--every", "0", "x"], "every must be a whole number from 1, not 0"), (["run", "--every", "x", "y"], "'x'"),
    (["run", "--budget", "-1", "x"], "budget"), (["run", "--select", "HC7", "x"], "no rule 'HC7'"),
    (["report", "--ignore", "ABC", "x"], "'ABC'"), (["run", "--format", "yaml", "x"], "'yaml'"),
    (["run", "--baseline", "no.json", "x"], "no.json"), (["run", "-o", "no/such/r.json", "x"], "no such folder"),
    (["run", "-o", ".", "x"], "a folder"), (["explain", "HC999"], "'HC999'"), (["explain", "dead-unit"], "dead-units"),
    (["run", "--format", "json", "--format", "sarif", "-o", "r", "x"], "json and sarif"), (["report"], "'.hypocenter'"),
])  # fmt: skip
def test_bad_usage_is_one_sentence_and_2(session, capsys, args, said):
    assert cli.main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("hypocenter: ")
    assert err.count("\n") == 1
    assert said in err
    assert session.asked == []


def test_a_script_s_arguments_are_its_own(session):
    own = ["--lr", "0.1", "--format", "x", "-m", "--", "-o", "--help", ""]
    assert cli.main(["run", "--every", "5", "train.py", *own]) == 0
    [(target, args, options)] = session.asked
    assert (target.name, target.module, args, options.every) == ("train.py", False, own, 5)
    assert cli.main(["run", "-m", "pkg.train", "--lr", "3"]) == 0
    target, args, _ = session.asked[1]
    assert (target.name, target.module, args) == ("pkg.train", True, ["--lr", "3"])


def test_options_come_from_the_file_and_the_command_line(session, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.hypocenter]\nevery = 7\nselect = ["HC3"]\nquiet = true\n')
    assert cli.main(["run", "--select", "HC1,hc2", "--stop-on", "error", "--budget", "20", "train.py"]) == 0
    options = session.asked[0][2]
    assert (options.every, options.select, options.stop_on, options.budget) == (7, ("HC1", "HC2"), "error", 20.0)
    assert options.quiet


@pytest.mark.parametrize(("severities", "fail_on", "undecided", "outcome", "code"), [
    ([], "error", None, Outcome("completed"), 0),
    (["note"], "warning", None, Outcome("completed"), 0),
    (["warning"], "error", None, Outcome("completed"), 0),
    (["warning"], "warning", None, Outcome("completed"), 1),
    (["error"], "error", None, Outcome("completed"), 1),
    (["error"], "never", None, Outcome("completed"), 0),
    ([], "error", "no model", Outcome("completed"), 2),
    (["warning"], "warning", "no model", Outcome("completed"), 1),
    ([], "error", None, Outcome("raised", "ValueError: x", 1), 2),
    (["error"], "error", None, Outcome("raised", "ValueError: x", 1), 1),
    (["error"], "never", None, Outcome("raised", "ValueError: x", 1), 2),
    ([], "error", None, Outcome("stopped", "KeyboardInterrupt", 130), 2),
    (["error"], "never", None, Outcome("stopped", None, None), 0),
    (["error"], "error", None, Outcome("stopped", None, None), 1),
])  # fmt: skip
def test_exit_codes(session, severities, fail_on, undecided, outcome, code):
    found = tuple(finding(severity) for severity in severities)
    session.report = replace(session.report, findings=found, undecided=undecided)
    session.outcome = outcome
    assert cli.main(["run", "--fail-on", fail_on, "train.py"]) == code


def test_no_report_is_2(session, capsys):
    session.report = None
    assert cli.main(["run", "train.py"]) == 2
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", [["run", "x.py"], ["check", "x.onnx"], ["report", "folder"]])
@pytest.mark.parametrize("error", [BadInputError("no such x", slug="x"), BadRunError("it is torn", slug="y")])
def test_our_errors_are_one_sentence_and_2(session, capsys, command, error):
    session.report = error
    assert cli.main(command) == 2
    assert capsys.readouterr() == ("", f"hypocenter: {error}\n")


def test_run_reports_on_stderr_and_the_others_on_stdout(session, capsys):
    cli.main(["run", "train.py"])
    out, err = capsys.readouterr()
    assert (out, "train.py is healthy" in err) == ("", True)
    for command in (["check", "model.onnx"], ["report", "folder"]):
        cli.main(command)
        out, err = capsys.readouterr()
        assert ("train.py is healthy" in out, err) == (True, "")
    assert session.asked[1][0] == "model.onnx"
    assert session.asked[2] == (Path("folder"), {"select": None, "ignore": None})


def test_the_latest_run_is_the_default(session, tmp_path):
    for name, age in (("a", 5), ("b", 50)):
        (tmp_path / ".hypocenter" / name).mkdir(parents=True)
        os.utime(tmp_path / ".hypocenter" / name, (1000 - age, 1000 - age))
    assert cli.main(["report"]) == 0
    assert session.asked[0][0] == Path(".hypocenter/a")


def test_formats_and_files(session, capsys, tmp_path):
    session.report = replace(session.report, findings=(finding("error"),))
    schema = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
    assert cli.main(["run", "--format", "json", "train.py"]) == 1
    jsonschema.validate(json.loads(capsys.readouterr().err), schema)
    assert cli.main(["run", "--format", "json", "-o", "r.json", "train.py"]) == 1
    assert capsys.readouterr() == ("", "")
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), schema)
    assert cli.main(["run", "--format", "text", "--format", "sarif", "-o", "r.sarif", "train.py"]) == 1
    assert "error[HC301]" in capsys.readouterr().err
    assert json.loads((tmp_path / "r.sarif").read_text())["version"] == "2.1.0"
    assert cli.main(["run", "-o", "r.txt", "train.py"]) == 1
    assert "error[HC301]" in (tmp_path / "r.txt").read_text()


def test_a_baseline_is_applied_and_counted(session, capsys):
    session.report = replace(session.report, findings=(finding("error"),))
    assert cli.main(["run", "--format", "json", "-o", "old.json", "train.py"]) == 1
    assert cli.main(["run", "--baseline", "old.json", "train.py"]) == 0
    err = capsys.readouterr().err
    assert "train.py is healthy" in err
    assert "1 finding known from the baseline" in err
    session.report = replace(session.report, findings=(finding("error"), finding("error", layer="fc2")))
    assert cli.main(["run", "--baseline", "old.json", "train.py"]) == 1


def test_quiet(session, capsys):
    assert cli.main(["run", "--quiet", "train.py"]) == 0
    session.report = replace(session.report, findings=(finding("error"), finding("note")))
    assert cli.main(["run", "--quiet", "train.py"]) == 1
    assert capsys.readouterr() == ("", "train.py:1: error HC301 dead-units: They are dead.\n")


def test_explain(capsys):
    assert cli.main(["explain", "hc301"]) == 0
    by_code = capsys.readouterr().out
    assert by_code.startswith("HC301 dead-units\n")
    assert "\nWhat it does\n" in by_code
    assert cli.main(["explain", "dead-units"]) == 0
    assert capsys.readouterr().out == by_code
    assert cli.main(["explain"]) == 0
    listed = capsys.readouterr().out
    assert all(code in listed for code in targets())


def test_every_rule_has_a_page(capsys):
    assert cli.main(["explain", *targets()]) == 0
    assert capsys.readouterr().out.count("\nWhat it does\n") == len(targets())


def test_doctor(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    for said in (f"hypocenter    {__version__}", "torch", "kernels"):
        assert said in out
    assert ".hypocenter can be written" in " ".join(out.split())  # a long path is wrapped
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("HYPOCENTER_KERNELS", "numpy")
    assert cli.main(["doctor"]) == 0
    assert "HYPOCENTER_KERNELS is 'numpy'" in capsys.readouterr().out


def test_doctor_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr("hypocenter.doctor.FRAMEWORKS", {"no-such-framework": "some"})
    monkeypatch.setattr("hypocenter.doctor.tempfile.TemporaryFile", refuse)
    assert cli.main(["doctor"]) == 0
    out = " ".join(capsys.readouterr().out.split())  # lines break where the path of the folder makes them
    assert "no-such-framework is not installed; pip install 'hypocenter[some]'" in out
    assert "cannot be written: Read-only file system" in out


def refuse(**_):
    raise OSError(30, "Read-only file system")


def test_ctrl_c_outside_the_script(session, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    session.run_script = interrupted
    assert cli.main(["run", "x.py"]) == 130
    assert capsys.readouterr().err == "hypocenter: interrupted\n"


def test_a_reader_that_leaves_is_no_traceback():
    reader = f"{sys.executable} -m hypocenter explain HC101 HC102 HC103 HC104 HC105 HC106 | true"
    done = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""


SESSION = """
import sys, types
from hypocenter import cli, runner
from hypocenter.report.model import Coverage, Program, Report
session = types.ModuleType("hypocenter.session")
def run_script(target, args, options):
    outcome = runner.run(target, args)
    return Report(Program(str(target), (), outcome.ended, outcome.exception), (), Coverage()), outcome
session.run_script = run_script
sys.modules["hypocenter.session"] = session
sys.exit(cli.main())
"""


def test_a_real_script_keeps_its_output_and_click_context(tmp_path):
    (tmp_path / "train.py").write_text(
        "import sys, click\n"
        "assert click.get_current_context(silent=True) is None\n"
        "print('out', sys.argv[1:]); print('err', file=sys.stderr)\n"
        "sys.stderr = open('elsewhere', 'w')\n"
        "sys.exit(4)\n"
    )
    line = [sys.executable, "-c", SESSION, "run", "train.py", "--quiet"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "out ['--quiet']\n")
    assert done.stderr.startswith("err\n── hypocenter")
    assert "raised (SystemExit: 4)" in done.stderr
    done = subprocess.run([*line[:4], "none.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (2, "hypocenter: there is no script 'none.py'\n")


@pytest.mark.parametrize(
    ("output", "said"), [(">/dev/full", "No space left on device"), (">&-", "the output is closed")]
)
def test_a_stdout_that_takes_nothing_is_one_sentence_and_2(output, said):
    command = f"{sys.executable} -m hypocenter explain HC101 {output}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == f"hypocenter: the report cannot be shown: {said}\n"
    assert done.returncode == 2


def test_without_stderr_the_exit_code_is_left(session, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert cli.main(["run", "x.py"]) == 2
    assert cli.main(["fly"]) == 2


def test_doctor_sees_a_file_in_the_place_of_the_runs(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".hypocenter").write_text("mine")
    assert cli.main(["doctor"]) == 0
    assert ".hypocenter is a file" in " ".join(capsys.readouterr().out.split())
