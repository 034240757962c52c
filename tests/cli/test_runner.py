"""A program run by the runner prints, raises and exits as under `python`: both are run, in real processes."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest

DRIVER = """
import json, os, sys
from hypocenter.errors import HypocenterError
from hypocenter.runner import Target, run
module, target, *args = sys.argv[1:]
try:
    outcome = run(Target(target, module == "1"), args)
    told = [outcome.ended, outcome.exception, outcome.exit_code]
except HypocenterError as error:
    told = [error.slug, str(error)]
with open(os.environ["TOLD"], "w") as file:
    json.dump(told, file)
sys.exit(0 if told[0] == "completed" else 1)
"""


@pytest.fixture
def both(tmp_path):
    """Run a command line under python and under the runner; give (plain, watched, what the runner told)."""

    def runs(*command, module=False, files=None, env=None, cwd=tmp_path):
        for name, text in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        told = tmp_path / "told.json"
        environment = {**os.environ, "TOLD": str(told), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        results = []
        for start in ([*(["-m"] if module else [])], ["-c", DRIVER, "1" if module else "0"]):
            line = [sys.executable, *start, *command]
            results.append(
                subprocess.run(line, check=False, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
            )
        return *results, json.loads(told.read_text())

    return runs


def same(plain, watched):
    def scrub(text):  # our few frames count toward the recursion limit
        return re.sub(r"repeated 99\d more times", "repeated 99N more times", text)

    assert watched.stdout == plain.stdout
    assert scrub(watched.stderr) == scrub(plain.stderr)


def test_namespace_argv_and_path(both):
    text = """
        '''Doc.'''
        import sys, json
        shown = {k: repr(v) for k, v in sorted(globals().items()) if k not in ("sys", "json")}
        shown["__loader__"] = [type(__loader__).__name__, __loader__.name, __loader__.path]
        print(json.dumps(shown), sys.argv, sys.path, __name__, __file__, sys.modules["__main__"].__dict__ is globals())
        print("to stderr", file=sys.stderr)
    """
    args = ("sub/train.py", "--format", "json", "-m", "--", "-o", "x y", "")
    plain, watched, told = both(*args, files={"sub/train.py": text})
    same(plain, watched)
    assert "x y" in watched.stdout
    assert told == ["completed", None, 0]


def test_a_link_to_a_script(both, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "helper.py").write_text("print('helper')")
    (tmp_path / "real" / "train.py").write_text("import helper, sys; print(__file__, sys.path[0])")
    (tmp_path / "link.py").symlink_to("real/train.py")
    plain, watched, _ = both("link.py")
    same(plain, watched)
    assert "helper" in watched.stdout


def test_safe_path_is_kept(both):
    files = {"train.py": "import sys; print(sys.path)"}
    same(*both("train.py", files=files, env={"PYTHONSAFEPATH": "1"})[:2])


ENDS = {
    "exception": ("def f():\n    1 / 0\nf()", ["raised", "ZeroDivisionError: division by zero", 1]),
    "chained": ("try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('two\\nlines') from e",
                ["raised", "ValueError: two", 1]),
    "group": ("raise ExceptionGroup('g', [ValueError('a'), TypeError('b')])",
              ["raised", "ExceptionGroup: g (2 sub-exceptions)", 1]),
    "recursion": ("def f(): f()\nf()", ["raised", "RecursionError: maximum recursion depth exceeded", 1]),
    "exit 0": ("import sys; sys.exit(0)", ["completed", None, 0]),
    "exit none": ("raise SystemExit", ["completed", None, 0]),
    "exit 3": ("import sys; sys.exit(3)", ["raised", "SystemExit: 3", 3]),
    "exit text": ("import sys; sys.exit('no data')", ["raised", "SystemExit: no data", 1]),
    "exit true": ("import sys; sys.exit(True)", ["raised", "SystemExit: True", 1]),
    "interrupt": ("raise KeyboardInterrupt", ["stopped", "KeyboardInterrupt", 130]),
    "later syntax": ("exec('a b')", ["raised", "SyntaxError: invalid syntax", 1]),
    "own hook": ("import sys\nsys.excepthook = lambda t, v, b: print('HOOK', t, v, b.tb_lineno)\n1/0",
                 ["raised", "ZeroDivisionError: division by zero", 1]),
    "bad hook": ("import sys\ndef hook(*a): raise ValueError('hook')\nsys.excepthook = hook\n1/0",
                 ["raised", "ZeroDivisionError: division by zero", 1]),
    "order": ("import atexit, threading, time\natexit.register(print, 'atexit')\n"
              "threading.Thread(target=lambda: (time.sleep(.3), print('thread'))).start()\nprint('main')",
              ["completed", None, 0]),
    "executor left open": ("from concurrent.futures import ThreadPoolExecutor\nimport atexit\n"
                           "atexit.register(print, 'bye')\nprint(ThreadPoolExecutor().submit(lambda: 3).result())",
                           ["completed", None, 0]),
    "fork": ("import os, sys\nif os.fork() == 0:\n    print('child')\n    sys.exit(0)\n"
             "print('parent', os.waitstatus_to_exitcode(os.wait()[1]))", ["completed", None, 0]),
    "fork raises": ("import os, sys\nif os.fork() == 0:\n    1/0\n"
                    "print('parent', os.waitstatus_to_exitcode(os.wait()[1]))", ["completed", None, 0]),
    "warning": ("import warnings; warnings.warn('w', DeprecationWarning)", ["completed", None, 0]),
    "closed stdout": ("import sys; sys.stdout.close()", ["completed", None, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_ends_as_under_python(both, name):
    source, expected = ENDS[name]
    plain, watched, told = both("train.py", files={"train.py": source})
    same(plain, watched)
    assert told == expected


@pytest.mark.parametrize("source", ["def f(:\n    pass\n", "x = 1\nif x:\nprint(x)\n", "a = 'open\n", "return 3\n"])
def test_a_syntax_error_is_shown_and_refused(both, source):
    plain, watched, told = both("train.py", files={"train.py": source})
    same(plain, watched)
    assert told[0] == "syntax-error"
    assert "'train.py' has a syntax error in line" in told[1]


def test_null_bytes_are_refused(both, tmp_path):
    (tmp_path / "train.py").write_bytes(b"x = 1\0\n")
    assert both("train.py")[2][0] == "syntax-error"


def test_a_missing_script_is_refused(both):
    assert both("no.py")[2] == ["no-script", "there is no script 'no.py'"]
    assert both("pkg.train")[2][1].endswith("a module is run with -m")


def test_modules(both):
    files = {
        "pkg/__init__.py": "",
        "pkg/train.py": "import sys\nprint(sys.argv, sys.path[0], __spec__.name, __package__, __file__)\n1/0",
        "pkg/__main__.py": "import sys\nfrom . import other\nprint(sys.argv, __spec__.name, __name__)\n",
        "pkg/other.py": "",
    }
    plain, watched, told = both("pkg.train", "--every", "3", module=True, files=files)
    same(plain, watched)
    assert told == ["raised", "ZeroDivisionError: division by zero", 1]
    plain, watched, told = both("pkg", "a", module=True)
    same(plain, watched)
    assert told[0] == "completed"


def test_bad_modules(both):
    files = {"broken.py": "a b\n", "pkg/__init__.py": "1/0\n", "pkg/train.py": ""}
    assert both("nosuch.thing", module=True, files=files)[2][0] == "no-module"
    plain, watched, told = both("broken", module=True)
    same(plain, watched)
    assert told[0] == "syntax-error"
    plain, watched, told = both("pkg.train", module=True)
    same(plain, watched)
    assert told[:2] == ["raised", "ZeroDivisionError: division by zero"]


def test_a_folder_with_a_main(both):
    files = {
        "app/__main__.py": "import sys, part\nprint(sys.argv, sys.path[0], __file__, __spec__.name)",
        "app/part.py": "",
    }
    plain, watched, told = both("app", "x", files=files)
    same(plain, watched)
    assert told[0] == "completed"
    files = {"empty/readme": ""}
    assert both("empty", files=files)[2][0] == "no-module"


def test_classes_of_the_script_pickle_and_children_find_them(both):
    text = """
        import multiprocessing, pickle
        class Box:
            def __init__(self, n): self.n = n
        def double(box): return Box(box.n * 2)
        if __name__ == "__main__":
            print(pickle.loads(pickle.dumps(Box(3))).n, Box.__module__)
            for how in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(how).Pool(1) as pool:
                    print(how, pool.map(double, [Box(1), Box(2)])[1].n)
    """
    plain, watched, told = both("train.py", files={"train.py": text})
    same(plain, watched)
    assert watched.stdout.endswith("forkserver 4\n")
    assert told[0] == "completed"
    plain, watched, _ = both("train", module=True)
    same(plain, watched)


def test_torch_save_and_data_loader_workers(both):
    text = """
        import sys, torch
        from torch.utils.data import DataLoader, Dataset
        class Data(Dataset):
            def __len__(self): return 4
            def __getitem__(self, i): return torch.tensor([float(i)])
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = torch.nn.Linear(1, 1)
        if __name__ == "__main__":
            torch.save(Net(), "net.pt")
            print(type(torch.load("net.pt", weights_only=False)).__module__)
            for how in ("fork", "spawn"):
                loader = DataLoader(Data(), batch_size=2, num_workers=1, multiprocessing_context=how)
                print([batch.tolist() for batch in loader])
    """
    plain, watched, told = both("train.py", files={"train.py": text})
    same(plain, watched)
    assert told[0] == "completed"


def interruptible():
    """A shell ignores Ctrl-C for what it runs in the background, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def watched_process(tmp_path, text):
    (tmp_path / "train.py").write_text(textwrap.dedent(text))
    environment = {**os.environ, "TOLD": str(tmp_path / "told.json")}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, "0", "train.py"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=interruptible,  # noqa: PLW1509  # the test process has no other threads that matter here
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


LOOP = """
    import time
    try:
        print("ready", flush=True)
        while True: time.sleep(0.05)
    finally:
        print("finally", flush=True)
"""


@pytest.mark.parametrize(("number", "told"), [
    (signal.SIGTERM, ["stopped", "SIGTERM", 143]), (signal.SIGINT, ["stopped", "KeyboardInterrupt", 130]),
])  # fmt: skip
def test_signals_end_the_program_but_not_the_process(tmp_path, number, told):
    process = watched_process(tmp_path, LOOP)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out == "finally\n"
    assert json.loads((tmp_path / "told.json").read_text()) == told
    assert ("KeyboardInterrupt" in err) == (number == signal.SIGINT)
    assert "hypocenter" not in err


def test_a_second_sigterm_kills_a_program_that_swallowed_the_first(tmp_path):
    process = watched_process(tmp_path, """
        import time
        try:
            print("ready", flush=True)
            time.sleep(60)
        except BaseException:
            print("swallowed", flush=True)
            time.sleep(60)
    """)  # fmt: skip
    process.terminate()
    assert process.stdout.readline() == "swallowed\n"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM


def test_sigterm_kills_a_forked_child_as_ever(both):
    text = """
        import os, signal, time
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        time.sleep(0.2)
        os.kill(child, signal.SIGTERM)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    begun = time.monotonic()
    plain, watched, told = both("train.py", files={"train.py": text})
    same(plain, watched)
    assert watched.stdout == f"{-signal.SIGTERM}\n"
    assert told[0] == "completed"
    assert time.monotonic() - begun < 50


def test_the_program_s_own_sigterm_handler_is_left_alone(both):
    text = """
        import os, signal
        signal.signal(signal.SIGTERM, lambda *_: print("mine"))
        os.kill(os.getpid(), signal.SIGTERM)
    """
    plain, watched, told = both("train.py", files={"train.py": text})
    same(plain, watched)
    assert told[0] == "completed"


def test_stop_is_quiet(both):
    _, watched, told = both("train.py", files={"train.py": "from hypocenter.runner import Stop\nraise Stop"})
    assert watched.stderr == ""
    assert told == ["stopped", None, None]
