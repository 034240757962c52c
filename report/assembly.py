"""The report of a recorded run."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypocenter.diagnose.diagnosis import diagnose
from hypocenter.diagnose.run import Run
from hypocenter.probes.events import last_of_kind
from hypocenter.report.model import Coverage, Ended, Overhead, Program, Report, Unprobed

#: The rule that says that a model was never trained.
NEVER_TRAINED = "HC901"


def report_of_check(run: Run) -> Report:
    """Diagnose one forward pass that hypocenter made itself: that nothing was trained is no finding and no doubt."""
    report = report_of(run, ignore=(NEVER_TRAINED,))
    program = replace(report.program, ended="not-run", exception=None, steps=None)
    undecided = None if report.coverage.layers else report.undecided
    return replace(report, program=program, overhead=None, undecided=undecided, suppressed=())


def report_of(
    run: Run,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    budget: float | None = None,
    running: bool = False,
) -> Report:
    """Diagnose a run, whole or torn, and say what it was.

    Args:
        run: The run.
        select: Codes, or beginnings of codes, of the rules to apply; empty means all.
        ignore: Codes, or beginnings of codes, of the rules to leave out.
        budget: Probe time that the user accepts, in percent of the rest.
        running: The run goes on: the report is about the steps so far, which are complete.

    Raises:
        BadInputError: `select` or `ignore` names no rule.
    """
    program = last_of_kind(run.events, "program") or {}
    end = last_of_kind(run.events, "end")
    unsaid: Ended = "completed" if running else "stopped"  # no word of its end: it goes on, or was killed
    ended: Ended = unsaid if end is None else end["ended"]
    steps = _steps(run, end)
    return Report.from_diagnosis(
        diagnose(run, select or None, ignore or None),
        Program(
            str(program.get("path", "?")),
            tuple(program.get("frameworks", ())),
            ended,
            None if end is None else end.get("exception"),
            steps,
        ),
        _coverage(last_of_kind(run.events, "coverage")),
        None if end is None else Overhead(end.get("probe_seconds", 0.0), end.get("wall_seconds", 0.0), budget),
        None if run.folder is None or not run.folder.is_dir() else str(run.folder),
    )


def _steps(run: Run, end: dict[str, Any] | None) -> int | None:
    if end is not None and end.get("steps") is not None:
        return int(end["steps"])
    counters = last_of_kind(run.events, "counters")
    return None if counters is None else int(counters["optimizer_steps"] or counters["manual_steps"])


def _coverage(event: dict[str, Any] | None) -> Coverage:
    if event is None:
        return Coverage()
    unprobed = tuple(Unprobed(one["layer"], one["reason"]) for one in event["unprobed"])
    return Coverage(event["layers"], event["probed"], unprobed)
