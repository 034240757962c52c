"""Where a report goes, in which forms, and the exit code that follows from it."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from hypocenter.config import Options
from hypocenter.errors import BadInputError
from hypocenter.report.baseline import load_baseline
from hypocenter.report.model import Key, Report
from hypocenter.report.renderers import Surface, renderer, save, write
from hypocenter.runner import Outcome


@dataclass(frozen=True, slots=True)
class Output:
    """What is done with a report when there is one; made, and so checked, before anything is run.

    Args:
        options: The user's.
        known: Findings of the baseline.
        to_stream: Formats for the stream, in order.
        to_file: The format for `options.output`.
    """

    options: Options
    known: Collection[Key]
    to_stream: tuple[str, ...]
    to_file: str | None

    @classmethod
    def prepare(cls, options: Options) -> Self:
        """Read the baseline and assign the formats.

        Raises:
            BadInputError: The baseline is no report, the file cannot be written, or it would get two formats.
        """
        known = frozenset() if options.baseline is None else load_baseline(options.baseline)
        if options.output is None:
            return cls(options, known, options.format, None)
        _check_writable(options.output)
        many = len(options.format) > 1
        filed = [name for name in options.format if not (many and name == "text")]
        if len(filed) > 1:
            raise BadInputError(
                f"one file cannot hold the formats {' and '.join(filed)}: give -o with one of them, or leave -o out",
                slug="output-formats",
            )
        return cls(options, known, tuple(name for name in options.format if name != filed[0]), filed[0])

    def emit(self, report: Report, stream: TextIO) -> Report:
        """Show and save the report without what the baseline knows, and return it so.

        Raises:
            StorageError: The file or the stream cannot be written after all.
        """
        shown = report.without(self.known) if self.known else report
        surface = Surface.of(stream, quiet=self.options.quiet)
        if self.to_file is not None and self.options.output is not None:
            save(renderer(self.to_file).render(shown, Surface(quiet=self.options.quiet)), self.options.output)
        for name in self.to_stream:
            write(renderer(name).render(shown, surface), stream)
        return shown


def exit_code(report: Report | None, options: Options, outcome: Outcome | None = None) -> int:
    """0: nothing at or above `fail_on`; 1: such findings; 2: no judgement, or the program failed on its own.

    Args:
        report: None when there was nothing to report on.
        options: The user's.
        outcome: How the program ended, where one was run. Stopped by us after a finding is no failure of its own.
    """
    if report is not None and report.failing(options.fail_on):
        return 1
    stopped_by_us = outcome is not None and outcome.ended == "stopped" and outcome.exception is None
    if report is None or report.verdict == "undecided":
        return 2
    return 0 if outcome is None or outcome.ended == "completed" or stopped_by_us else 2


def _check_writable(path: Path) -> None:
    folder = path.parent
    if path.is_dir():
        raise BadInputError(f"the report cannot be written to {str(path)!r}: it is a folder", slug="output-file")
    if not folder.is_dir():
        raise BadInputError(
            f"the report cannot be written to {str(path)!r}: there is no such folder", slug="output-file"
        )
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise BadInputError(f"the report cannot be written to {str(path)!r}: no permission", slug="output-file")
