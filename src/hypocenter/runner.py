"""Run a program as `__main__` the way the interpreter would, and say how it ended.

`run` takes the process over: `sys.argv`, `sys.path[0]` and `sys.modules["__main__"]` stay the program's, because its
threads, atexit functions and pickles still need them after it has returned. Threads and atexit functions are left to
the interpreter, which ends them after the report.
"""

import builtins
import os
import runpy
import signal
import sys
import threading
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Literal, NoReturn

from hypocenter.errors import BadInputError
from hypocenter.tracebacks import clean, started


@dataclass(frozen=True, slots=True)
class Target:
    """What to run: the path of a script, a folder or a zip file with a `__main__.py`; or the name of a module."""

    name: str
    module: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the program ended.

    Args:
        ended: `completed`: the end of the program or `sys.exit(0)`; `raised`: an exception or another exit code;
            `stopped`: from outside (Ctrl-C, SIGTERM) or by `Stop`.
        exception: The exception as the last line of its traceback has it; None when there was none.
        exit_code: What the interpreter would have exited with (130 after Ctrl-C, 143 after SIGTERM); None after `Stop`.
    """

    ended: Literal["completed", "raised", "stopped"]
    exception: str | None = None
    exit_code: int | None = 0


class Stop(BaseException):
    """Raised inside the program to end it early, quietly. Not an `Exception`, so that the program lets it pass."""


class Terminated(BaseException):
    """Raised inside the program by the first SIGTERM, so that what was recorded is diagnosed. The second one kills."""


def run(target: Target | str, args: Sequence[str]) -> Outcome:
    """Run `target` as `__main__` with `args` until it ends, its traceback printed as the interpreter prints it.

    In a child process that the program forked, this does not return: it raises `SystemExit`.

    Args:
        target: A string is the path of a script.
        args: What follows the program's name on its command line, untouched.

    Raises:
        BadInputError: There is no such program, or it does not parse (the syntax error has been shown by then).
    """
    target = Target(target) if isinstance(target, str) else target
    main = _fresh_main()
    start = _module(target, args) if target.module else _script(target.name, args, main)
    process = os.getpid()
    error: BaseException | None = None
    sys.modules["__main__"] = main
    with _sigterm_raises():
        try:
            start()
        except BaseException as caught:  # noqa: BLE001  # every way to end is the program's, and is told below
            error = caught
    if error is not None and not started(error, main.__dict__):
        _refuse_unstarted(target, error)
    outcome = _outcome(error)
    if os.getpid() != process:
        sys.exit(outcome.exit_code)
    with suppress(
        AttributeError, OSError, ValueError
    ):  # no stdout, or broken or closed: the interpreter says so itself
        sys.stdout.flush()
    return outcome


def _fresh_main() -> ModuleType:
    """A `__main__` as the interpreter makes it before it reads the program."""
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    return main


def _module(target: Target, args: Sequence[str]) -> Callable[[], object]:
    sys.argv = ["-m", *args]  # until the module is found, as with `python -m`
    _set_first_path(os.getcwd())  # noqa: PTH109  # a string, as the interpreter puts there
    return lambda: _as_main(target.name, alter_argv=True)


def _as_main(name: str, *, alter_argv: bool) -> object:
    """What `python -m name` calls, so that lookup, messages and tracebacks are the interpreter's own."""
    run_as_main: Callable[[str, bool], object] = runpy._run_module_as_main  # type: ignore[attr-defined]  # not in the stubs
    return run_as_main(name, alter_argv)


def _script(name: str, args: Sequence[str], main: ModuleType) -> Callable[[], object]:
    path = os.path.abspath(name)  # noqa: PTH100  # not resolved: `__file__` keeps the links, as in the interpreter
    if os.path.isdir(path) or zipfile.is_zipfile(path):  # noqa: PTH112  # same string as above
        sys.argv = [name, *args]
        _set_first_path(path)
        return lambda: _as_main("__main__", alter_argv=False)
    code = _compile(name, path)
    main.__dict__.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
    sys.argv = [name, *args]
    _set_first_path(str(Path(path).resolve().parent))
    return lambda: exec(code, main.__dict__)


def _set_first_path(folder: str) -> None:
    """Replace the launcher's own folder, unless `python -P` said not to put one there."""
    if not sys.flags.safe_path:
        sys.path[0] = folder


def _compile(name: str, path: str) -> CodeType:
    try:
        source = Path(path).read_bytes()
    except FileNotFoundError:
        hint = "" if name.endswith(".py") or "/" in name else "; a module is run with -m"
        raise BadInputError(f"there is no script {name!r}{hint}", slug="no-script") from None
    except OSError as error:
        raise BadInputError(f"{name!r} cannot be read: {error.strerror}", slug="no-script") from error
    try:
        return compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes, before Python 3.12
        _refuse_source(name, error.with_traceback(None))


def _refuse_source(name: str, error: SyntaxError | ValueError) -> NoReturn:
    _show(error)
    line = getattr(error, "lineno", None)
    where = "is not Python source" if line is None else f"has a syntax error in line {line}"
    raise BadInputError(f"{name!r} {where}; nothing was run", slug="syntax-error") from error


def _refuse_unstarted(target: Target, error: BaseException) -> None:
    """Refuse what the interpreter could not even begin to run; let other errors (in a package's import) pass."""
    if isinstance(error, SyntaxError):
        _refuse_source(target.name, error)
    if isinstance(error, SystemExit) and isinstance(error.code, str):
        sentence = error.code.removeprefix(f"{sys.executable}: ")
        raise BadInputError(f"{target.name!r} cannot be run: {sentence}", slug="no-module") from error


def _outcome(error: BaseException | None) -> Outcome:
    """Show what the interpreter shows for this end, and name it."""
    match error:
        case None:
            return Outcome("completed")
        case Stop():
            return Outcome("stopped", exit_code=None)
        case Terminated():
            return Outcome("stopped", "SIGTERM", 128 + signal.SIGTERM)
        case SystemExit():
            code = _exit_code(error)
            return Outcome("raised", f"SystemExit: {error.code}", code) if code else Outcome("completed")
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()
    _show(error)
    if isinstance(error, KeyboardInterrupt):
        return Outcome("stopped", "KeyboardInterrupt", 128 + signal.SIGINT)
    return Outcome("raised", text[0] if not isinstance(error, SyntaxError) else text[-1], 1)


def _exit_code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return int(error.code or 0)
    print(error.code, file=sys.stderr)  # noqa: T201  # the interpreter's own handling of sys.exit("text")
    return 1


def _show(error: BaseException) -> None:
    """Hand the error to the program's `sys.excepthook`, and show a failure of the hook as the interpreter does."""
    clean(error)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except SystemExit as leave:
        _exit_code(leave)
    except BaseException as failure:  # noqa: BLE001  # shown, then the original, as the interpreter does
        clean(failure)
        failure.__context__ = None
        print("Error in sys.excepthook:", file=sys.stderr)  # noqa: T201  # the interpreter's words
        sys.__excepthook__(type(failure), failure, failure.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)  # noqa: T201  # the interpreter's words
        sys.__excepthook__(type(error), error, error.__traceback__)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM raises `Terminated` in this process, once; in forked children, and the second time, it kills."""
    process = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a handler
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() == process:
            raise Terminated
        os.kill(os.getpid(), number)

    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not ours:
        yield
        return
    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
