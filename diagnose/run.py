"""A recorded run as the rules see it: the graph, the trace, the events. No framework is needed to read one."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hypocenter.errors import BadRunError
from hypocenter.ir.graph import IR
from hypocenter.probes.events import last_of_kind, load_events
from hypocenter.probes.folders import EVENTS, segments
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.trace import Trace
from hypocenter.rewrite.strip import strip

#: Name of the graph's file in a run folder.
GRAPH_FILE = "ir.onnx"


@dataclass(frozen=True)
class Run:
    """What one execution left behind.

    Args:
        ir: The graph of layers and operations as they were executed.
        trace: The statistics of every probed tensor.
        events: What happened besides, oldest first; each has `kind`, `step` and `time`.
        folder: Where it is stored, or None for a run in memory.
    """

    ir: IR
    trace: Trace
    events: list[dict[str, Any]] = field(default_factory=list)
    folder: Path | None = None

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads a run folder, also one that a crash left torn.

        A run that stopped before its first forward pass has no graph: an empty one stands in for it.

        Raises:
            BadRunError: There is no such folder, or nothing in it can be read.
        """
        path = Path(folder)
        if not path.is_dir():
            raise BadRunError(f"There is no run folder at {str(folder)!r}.", slug="no-such-run")
        events = load_events(path)
        graph = path / GRAPH_FILE
        if not graph.exists() and not events:
            raise BadRunError(f"{str(folder)!r} holds no recorded run (no {GRAPH_FILE}, no events).", slug="empty-run")
        if not events:
            raise BadRunError(f"{str(folder)!r} cannot be judged: its {EVENTS} is gone or empty.", slug="no-events")
        if not segments(path) and _forwards(events):
            raise BadRunError(f"{str(folder)!r} cannot be judged: nothing of its trace is there.", slug="no-trace")
        ir = strip(IR.load(graph)) if graph.exists() else IR()
        return cls(ir, Trace.load(path), events, path)

    @classmethod
    def from_recorder(cls, ir: IR, recorder: Recorder) -> Self:
        """The run so far of a recorder that is still recording or was closed."""
        return cls(ir, recorder.trace(), recorder.events(), recorder.folder)


def _forwards(events: list[dict[str, Any]]) -> int:
    """How many forward passes were counted."""
    counters = last_of_kind(events, "counters")
    return 0 if counters is None else int(counters.get("forwards", 0))
