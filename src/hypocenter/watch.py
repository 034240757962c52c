"""One observation from its start to its run: recorder, kernels, probes and graph of a model."""

import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, Self

from hypocenter._version import __version__
from hypocenter.diagnose.run import GRAPH_FILE, Run
from hypocenter.errors import BadInputError, HypocenterError, StorageError
from hypocenter.ir.graph import IR
from hypocenter.kernels import select, warm_up
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schedule import Schedule
from hypocenter.rewrite.insert import insert
from hypocenter.rewrite.passes import PassError
from hypocenter.rewrite.plan import decide


class Watch:
    """What watches a model, or (with `hypocenter.script`) a program.

    Args:
        path: What is watched, for the report.
        argv: The program's arguments.
        folder: The run folder; None keeps the record in memory.
        every: Measure everything every so many steps.
    """

    def __init__(self, path: str, argv: list[str], folder: Path | None, every: int) -> None:
        self.recorder = Recorder(folder)
        self.schedule = Schedule(every=every)
        self.warmup = warm_up()
        self.live: Any = None
        self.running = False
        self._saved = 0
        self._began = time.monotonic()
        versions = {"hypocenter": __version__, "python": sys.version.split()[0]}
        self._program: dict[str, Any] = {
            "path": path, "argv": argv, "frameworks": [], "versions": versions, "cwd": str(Path.cwd())
        }  # fmt: skip
        self.recorder.event("program", **self._program)

    @classmethod
    def of_model(cls, model: Any, caller: FrameType, folder: Path | None, every: int) -> Self:
        """The watch of one model; its definition lines are looked for in the source."""
        from hypocenter.lower.fx.live import Live
        from hypocenter.lower.fx.written import written_sites

        watch = cls(caller.f_code.co_filename, list(sys.argv[1:]), folder, every)
        watch.torch_found()
        kernels = select().kernels
        sites = written_sites(model, caller)
        watch.live = Live(watch.recorder, kernels, watch.schedule, decide, sites, checkpoint=watch.save_graph)
        return watch

    @classmethod
    def lowered(cls, model: Any, caller: FrameType, example_inputs: Any) -> IR:
        """The graph of a model from one call on example inputs."""
        from hypocenter.lower.fx.live import lower_module
        from hypocenter.lower.fx.written import written_sites

        try:
            return lower_module(model, example_inputs, decide, written_sites(model, caller))
        except HypocenterError:
            raise
        except Exception as error:
            message = f"The model fails on the example inputs with {type(error).__name__}: {error}"
            raise BadInputError(message, slug="forward-failed") from error

    def torch_found(self) -> None:
        """Note that the program uses PyTorch."""
        import importlib.metadata

        versions = {**self._program["versions"], "torch": importlib.metadata.version("torch")}
        self._program |= {"versions": versions, "frameworks": ["torch"]}
        self.recorder.event("program", **self._program)

    def start(self, model: Any) -> None:
        """Put the probes in."""
        self.running = True
        self.live.start(model)

    def attach(self, live: Any) -> None:
        """Watch with `live`, which has been started."""
        self.live = live
        self.running = True

    def leave(self) -> None:
        """Take the probes out of a program."""
        if self.running:
            self.running = False
            self.live.stop()

    def stop(self, model: Any) -> None:
        """Take the probes out and say that the run has ended."""
        self.running = False
        self.live.stop(model)
        self.end("completed", None)

    def end(self, ended: str, exception: str | None) -> None:
        """Write what is known only at the end, and close the record."""
        steps = None
        if self.recorder.storage_error is not None:  # what was written before may be gone with the folder
            self.recorder.event("program", **self._program)
        if self.live is not None:
            counters = self.live.counters()
            steps = counters["optimizer_steps"] or counters["manual_steps"]
            self.recorder.event("coverage", **self.live.coverage())
        self.recorder.event(
            "end",
            ended=ended,
            exception=exception,
            steps=steps,
            wall_seconds=time.monotonic() - self._began,
            probe_seconds=self.recorder.probe_seconds,
        )
        self.save_graph()
        self.recorder.close()

    def run(self) -> Run:
        """What was recorded so far, as the rules see it."""
        if self.running:
            self.live.report()
            self.recorder.event("coverage", **self.live.coverage())
        graph = IR() if self.live is None else self.live.ir
        return Run.from_recorder(graph, self.recorder)

    def keep_findings(self, findings: list[dict[str, Any]]) -> None:
        """Write the findings into the graph's file, beside the layers that they are about."""
        if self.live is not None and len(self.live.ir):
            self.live.ir.facts["findings"] = findings
            self._saved = 0
            self.save_graph()

    def save_graph(self) -> None:
        """Save the graph, with its probes, if it has grown since the last time.

        A disk that cannot take it is the recorder's to tell.
        """
        folder = self.recorder.folder
        if folder is None or self.live is None or self.recorder.storage_error is not None:
            return
        size = len(self.live.ir)
        if size == self._saved:
            return
        try:
            insert(self.live.ir).save(folder / GRAPH_FILE)
        except (PassError, StorageError) as error:  # neither is a reason to end the user's training
            self.recorder.event("warning", message=f"The graph could not be saved: {error}")
            return
        self._saved = size
