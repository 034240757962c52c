"""The command `hypocenter`.

Commands only parse: each returns a job, which `main` runs when click is done, so that a watched program that uses
click itself finds no context of ours.
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import click

from hypocenter._version import __version__
from hypocenter.config import Options
from hypocenter.errors import BadInputError, BadRunError, HypocenterError

Job = Callable[[], int]
F = TypeVar("F", bound=Callable[..., Any])

#: The shell's code for "ended by Ctrl-C".
_INTERRUPTED: Final = 130
_HELP: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 nothing found, 1 findings, 2 could not judge.

    Args:
        argv: Arguments after the program's name; None for the process's own.
    """
    stderr = sys.stderr  # the watched program may replace it
    try:
        args = sys.argv[1:] if argv is None else list(argv)
        job = commands.main(args, prog_name="hypocenter", standalone_mode=False, windows_expand_args=False)
        return job() if callable(job) else int(job or 0)
    except click.ClickException as error:
        sentence = " ".join(error.format_message().split()) + _help_hint(error)
    except HypocenterError as error:
        sentence = str(error)
        if error.slug == "output-stream":
            _give_up_stdout()
    except BrokenPipeError:  # the reader of our output left, as `head` does
        _give_up_stdout()
        return 2
    except (KeyboardInterrupt, click.Abort):
        _tell(stderr, "interrupted")
        return _INTERRUPTED
    _tell(stderr, sentence)
    return 2


def _give_up_stdout() -> None:
    """Let the interpreter, which flushes stdout when it ends, find a place that takes what is still to be written."""
    if sys.stdout is not None and not sys.stdout.closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(stderr: TextIO | None, sentence: str) -> None:
    with suppress(AttributeError, OSError, ValueError):  # no stderr, full or closed: there is nobody to tell
        stderr.write(f"hypocenter: {sentence}\n")  # type: ignore[union-attr]  # None is suppressed with the others


def _help_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" See `{context.command_path} --help`." if context is not None else ""


@click.group(context_settings=_HELP, no_args_is_help=False)
@click.version_option(__version__, message="hypocenter %(version)s")
def commands() -> None:
    """Find where a neural network's training goes wrong: the layer, the fault, the line and the fix.

    Exit codes: 0 nothing found, 1 findings at or above --fail-on, 2 could not judge.
    """


def shared_options(command: str) -> Callable[[F], F]:
    """The fields of `Options` that the command uses, as click options without defaults (those are in the fields)."""

    def decorate(function: F) -> F:
        for known in reversed(dataclasses.fields(Options)):
            if command in known.metadata["commands"]:
                function = _option(known)(function)
        return function

    return decorate


def _option(known: "dataclasses.Field[Any]") -> Callable[[F], F]:
    facts = known.metadata
    shape: dict[str, Any] = {"is_flag": True} if known.type is bool else {"multiple": isinstance(known.default, tuple)}
    if facts["choices"]:
        shape["type"] = click.Choice(facts["choices"])
    elif known.type in (int, float | None):
        shape["type"] = int if known.type is int else float
    if facts["metavar"]:
        shape["metavar"] = facts["metavar"]
    return click.option(*facts["flags"], known.name, default=None, help=facts["help"], **shape)


def _load(given: dict[str, Any]) -> Options:
    """The options of the configuration file and the command line; the codes among them checked."""
    options = Options.load(Path.cwd(), {name: value for name, value in given.items() if value not in (None, ())})
    if options.select or options.ignore:
        from hypocenter.diagnose.registry import targets

        for prefix in (*options.select, *options.ignore):
            if not any(code.startswith(prefix) for code in targets()):
                raise BadInputError(f"there is no rule {prefix!r}; see `hypocenter explain`", slug="no-such-rule")
    return options


@commands.command(context_settings={"allow_interspersed_args": False})
@shared_options("run")
@click.option("-m", "module", is_flag=True, help="TARGET is a module, as with python -m.")
@click.argument("target")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(target: str, args: tuple[str, ...], module: bool, **given: Any) -> Job:
    """Run a training script and say what goes wrong in it.

    TARGET is a script, followed by its own arguments, which are passed through untouched. The report goes to
    stderr; the script's own output is left alone.
    """

    def job() -> int:
        from hypocenter.output import Output, exit_code
        from hypocenter.runner import Target

        stderr = sys.stderr
        options = _load(given)
        output = Output.prepare(options)
        from hypocenter.session import run_script

        report, outcome = run_script(Target(target, module), list(args), options)
        shown = None if report is None else output.emit(report, stderr)
        return exit_code(shown, options, outcome)

    return job


@commands.command()
@shared_options("check")
@click.argument("model")
def check(model: str, **given: Any) -> Job:
    """Look at a saved model (file.onnx, file.keras, file.pt2) or a model in Python (module:attribute)."""

    def job() -> int:
        from hypocenter.output import Output, exit_code
        from hypocenter.session import check_path

        options = _load(given)
        output = Output.prepare(options)
        return exit_code(output.emit(check_path(model, options), sys.stdout), options)

    return job


@commands.command()
@shared_options("report")
@click.argument("run_folder", metavar="[RUN]", required=False)
def report(run_folder: str | None, **given: Any) -> Job:
    """Diagnose a recorded run again; without RUN the latest one in .hypocenter. Needs no framework."""

    def job() -> int:
        from hypocenter.output import Output, exit_code
        from hypocenter.session import diagnose

        options = _load(given)
        output = Output.prepare(options)
        folder = _latest_run() if run_folder is None else Path(run_folder)
        found = diagnose(folder, select=options.select or None, ignore=options.ignore or None)
        return exit_code(output.emit(found, sys.stdout), options)

    return job


def _latest_run() -> Path:
    base = Path(".hypocenter")
    folders = [path for path in base.iterdir() if path.is_dir()] if base.is_dir() else []
    if not folders:
        raise BadRunError("there is no run in '.hypocenter': name the run folder", slug="no-run")
    return max(folders, key=lambda path: path.stat().st_mtime)


@commands.command()
@click.argument("codes", nargs=-1, metavar="[CODE]...")
def explain(codes: tuple[str, ...]) -> Job:
    """Explain rules, such as HC301; without a code list them all."""

    def job() -> int:
        from hypocenter.explain import listing, page
        from hypocenter.report.renderers import Surface, write

        surface = Surface.of(sys.stdout)
        for code in codes:
            write(page(code, surface), sys.stdout)
        if not codes:
            write(listing(surface), sys.stdout)
        return 0

    return job


@commands.command()
def doctor() -> Job:
    """Show what is installed, which kernels were chosen and why, and where runs are written."""

    def job() -> int:
        from hypocenter.doctor import examine
        from hypocenter.explain import table
        from hypocenter.report.renderers import Surface, write

        write(table(examine(), Surface.of(sys.stdout)), sys.stdout)
        return 0

    return job
