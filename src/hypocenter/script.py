"""A script under observation: `hypocenter run`."""

import time
from collections.abc import Sequence
from pathlib import Path

from hypocenter import runner
from hypocenter.config import Options
from hypocenter.imports import after_import
from hypocenter.kernels import select
from hypocenter.probes.store import new_run_folder
from hypocenter.report.assembly import report_of
from hypocenter.report.model import Report
from hypocenter.report.renderers import Surface, renderer
from hypocenter.rewrite.plan import decide
from hypocenter.runner import Outcome, Target
from hypocenter.watch import Watch

#: Seconds between two looks for an error with `--stop-on error`, at least; and how many times as long as a look takes.
LOOK_PERIOD = 2.0
LOOK_SHARE = 10.0


class ScriptSession(Watch):
    """Runs a script, watches every model that it trains, and reports.

    Args:
        target: The script or module.
        args: Its own arguments.
        options: How to watch and report.

    Raises:
        StorageError: The run folder cannot be made.
    """

    def __init__(self, target: Target | str, args: Sequence[str], options: Options) -> None:
        self._target = target
        self._args = list(args)
        self._options = options
        self._next_look = time.monotonic() + LOOK_PERIOD
        super().__init__(str(target), self._args, new_run_folder(), options.every)

    def run_script(self) -> tuple[Report | None, Outcome]:
        """Run it; the report comes also when the script failed."""
        disarm = after_import("torch", self._torch_imported)
        try:
            outcome = runner.run(self._target, self._args)
        finally:
            disarm()
            self._leave()
        self.end(outcome.ended, outcome.exception)
        report = report_of(
            self.run(), select=self._options.select, ignore=self._options.ignore, budget=self._options.budget
        )
        if self.recorder.folder is not None and self.recorder.storage_error is None:
            self._save(report, self.recorder.folder)
        return report, outcome

    def _save(self, report: Report, folder: Path) -> None:
        for name in ("json", "html"):
            text = renderer(name).render(report, Surface())
            (folder / f"report.{name}").write_text(text, encoding="utf-8")

    def checkpoint(self) -> None:
        """Save the graph, and end the script if it was asked to end at the first error."""
        super().checkpoint()
        if self._options.stop_on == "never" or time.monotonic() < self._next_look:
            return
        began = time.monotonic()
        report = report_of(self.run(), select=self._options.select, ignore=self._options.ignore)
        now = time.monotonic()
        self._next_look = now + max(LOOK_PERIOD, LOOK_SHARE * (now - began))
        if report.failing("error"):
            raise runner.Stop

    def _torch_imported(self) -> None:
        from hypocenter.lower.fx.script import watch_script

        self.torch_found()
        self.warmup.wait()
        self.live = watch_script(self.recorder, select().kernels, self.schedule, decide, self.checkpoint)
        self.running = True

    def _leave(self) -> None:
        if self.live is not None and self.running:
            self.running = False
            self.live.stop()
