"""Measures the parts that every program pays for: imports, kernels from the cache, and the calls made for each layer.

Run: python benchmarks/bench_parts.py. Calls are timed in short bursts, processes in turn; medians are shown.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NamedTuple, cast

from bench_kernels import per_call, table
from results import machine, replace_section
from torch import nn

from hypocenter.ir.frames import call_sites
from hypocenter.ir.graph import IR, ValueInfo
from hypocenter.ir.site import Site
from hypocenter.kernels import warm_up
from hypocenter.lower.fx.construction import ConstructionSites
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schema import Phase

UNITS = {"ms": 1e3, "µs": 1e6}
WRITTEN_ROWS = 65_536  # four buffers of the recorder

IMPORT = "import hypocenter"
SELECT = "from hypocenter.kernels import select; select()"
ALL_KERNELS = f"{SELECT}\nfrom hypocenter.kernels.warmup import calls\nfor call in calls(select().kernels): call()"


class Row(NamedTuple):
    """A measured part."""

    part: str
    seconds: float
    goal: float  # seconds
    unit: str


def in_process(statements: str, before: str = "") -> float:
    """Seconds that the statements take in a new interpreter; its own start and what comes `before` are not counted."""
    code = f"import time\n{before}\nbegun = time.perf_counter()\n{statements}\nprint(time.perf_counter() - begun)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


def in_turn(programs: tuple[tuple[str, str], ...], rounds: int) -> list[float]:
    """Median seconds of each (statements, before) in new interpreters, in turn, so that drift meets all alike."""
    found = [[in_process(*program) for program in programs] for _ in range(rounds)]
    return [statistics.median(times) for times in zip(*found, strict=True)]


def processes(rounds: int) -> list[Row]:
    """What a new process waits for."""
    warm = warm_up()
    warm.wait()  # now every pass is in the cache
    if warm.failure is not None:
        raise SystemExit(warm.failure)
    # Timed behind numpy in one process: between processes, the time of numpy's own import varies by more than ours.
    programs = ((IMPORT, "import numpy"), ("import numpy", ""), (SELECT, ""), (ALL_KERNELS, ""))
    in_turn(programs, 1)  # now files are in memory and bytecode is written
    own, plain, chosen, loaded = in_turn(programs, rounds)
    return [
        Row(f"`import hypocenter` beyond `import numpy` ({plain * 1e3:.0f} ms)", own, 0.150, "ms"),
        Row("choosing the kernels: numba's import, and a trial from the cache", chosen, 2.0, "ms"),
        Row("the same, and loading every pass for every dtype from the cache", loaded, 2.0, "ms"),
    ]


def recorder_calls() -> list[Row]:
    """What the prober asks of the recorder for each tensor and each step."""
    recorder = Recorder(None)
    subject = recorder.subject("fc1")
    row = per_call(lambda: recorder.row(subject, Phase.FORWARD))
    begin = per_call(lambda: recorder.begin(7, 1, True))
    recorder.close()
    return [
        Row("recorder: `row()`", row, 3e-6, "µs"),
        Row(f"recorder: `row()` with its writing to disk, over {WRITTEN_ROWS:,} rows", written_row(), 3e-6, "µs"),
        Row("recorder: `begin()`", begin, 3e-6, "µs"),
    ]


def written_row(rounds: int = 15) -> float:
    """Median seconds per row when buffers fill up and become Parquet segments meanwhile, the last flush included."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        subject = recorder.subject("fc1")
        for step in range(rounds):
            recorder.begin(step, 0, True)
            start = time.perf_counter()
            for _ in range(WRITTEN_ROWS):
                recorder.row(subject, Phase.FORWARD)
            recorder.flush()
            times.append((time.perf_counter() - start) / WRITTEN_ROWS)
        recorder.close()
    return statistics.median(times)


def added_node(rounds: int = 101, nodes: int = 100) -> float:
    """Median seconds of `IR.add_node` with three sites and an attribute, in graphs that grow to `nodes`."""
    site = Site("/home/ana/train.py", 12, column=9, end_column=30)
    outputs = [[ValueInfo(f"n{i}", (64, 10), "float32")] for i in range(nodes)]
    times = []
    for _ in range(rounds):
        graph = IR()
        graph.add_input("x", shape=(64, 10), dtype="float32", kind="input")
        start = time.perf_counter()
        for output in outputs:
            graph.add_node(
                output[0].name, "Softmax", scope="", kind="activation", inputs=["x"], outputs=output,
                definition=site, call=site, user=site, attributes={"dim": 1},
            )  # fmt: skip
        times.append((time.perf_counter() - start) / nodes)
    return statistics.median(times)


def frame_under(*layers: tuple[str, str]) -> FrameType:
    """The innermost of frames that call each other: (module, file) from the outside in."""
    inner: Callable[[], FrameType] = sys._getframe
    for module, file in reversed(layers):
        namespace = {"__name__": module, "inner": inner}
        exec(compile("def call():\n    return inner()\n", file, "exec"), namespace)
        inner = cast("Callable[[], FrameType]", namespace["call"])
    return inner()


def known_place() -> float:
    """Median seconds of `call_sites` for a place seen before: four frames of torch, one of a library, the user's."""
    torch_frame = ("torch.nn", "/x/site-packages/torch/nn.py")
    library = ("transformers.gpt2", "/x/site-packages/transformers/gpt2.py")
    frame = frame_under(("train", "/home/ana/train.py"), library, *[torch_frame] * 4)
    call_site, user_site = call_sites(frame)
    if call_site is None or user_site is None or call_site is user_site:
        raise SystemExit("call_sites does not see both frames; the benchmark would measure something else")
    return per_call(lambda: call_sites(frame))


class Empty(nn.Module):
    """A module that costs only what `nn.Module` itself costs."""

    def __init__(self) -> None:
        super().__init__()


def constructed(rounds: int = 101) -> tuple[float, float]:
    """Median seconds of constructing a module: plain, and what its observation adds; bursts in turn."""
    plain, extra = [], []
    for _ in range(rounds):
        plain.append(per_call(Empty, repeats=50, rounds=1))
        with ConstructionSites():
            extra.append(per_call(Empty, repeats=50, rounds=1) - plain[-1])
    return statistics.median(plain), statistics.median(extra)


def graph_calls() -> list[Row]:
    """What each layer costs once, and each operation of a step."""
    plain, extra = constructed()
    return [
        Row("IR: `add_node()`, once per node", added_node(), 100e-6, "µs"),
        Row("`frames.call_sites()`, a place seen before, six frames", known_place(), 3e-6, "µs"),
        Row(f"observing the construction of a module (itself {plain * 1e6:.1f} µs)", extra, 10e-6, "µs"),
    ]


def line(row: Row) -> tuple[str, str, str]:
    scale = UNITS[row.unit]
    digits = 2 if row.seconds * scale < 10 else 0
    return row.part, f"{row.seconds * scale:.{digits}f} {row.unit}", f"< {row.goal * scale:.0f} {row.unit}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="new processes of each kind")
    parser.add_argument("--dry-run", action="store_true", help="print only, leave RESULTS.md as it is")
    options = parser.parse_args()
    rows = processes(options.rounds) + recorder_calls() + graph_calls()
    text = "\n\n".join(
        [
            "## Parts",
            f"`python benchmarks/bench_parts.py`. {machine()}",
            "The goals for kernels are part of the 5 s that probes may add to a program's first step; they load while "
            "the program imports.",
            table(("part", "median", "goal"), [line(row) for row in rows]),
        ]
    )
    print(text)
    if not options.dry_run:
        replace_section("parts", text)


if __name__ == "__main__":
    main()
