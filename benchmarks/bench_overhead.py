"""What probes cost: plain and probed training steps, alternating in one process.

    python benchmarks/bench_overhead.py            # all models, into RESULTS.md
    python benchmarks/bench_overhead.py mlp --steps 50 --dry

One model, one optimizer, one data batch: probes are put in and taken out again between steps, so that both kinds of
step run on the same memory and under the same load. The ratio is the median over pairs of neighbouring steps of
probed time over plain time. The first step is measured in fresh processes, plain and probed in turn.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch
from models import MODELS, Step
from results import machine, replace_section

from hypocenter.kernels import select, warm_up
from hypocenter.lower.fx.live import Live
from hypocenter.probes.recorder import Recorder
from hypocenter.probes.schedule import Schedule
from hypocenter.rewrite.plan import decide

GOALS = {"resnet18": 1.15, "gpt2": 1.25, "mlp": 1.5}
STEPS = {"resnet18": 40, "gpt2": 60, "mlp": 400}
FIRST_STEP_GOAL = 5.0  # seconds that probes may add to the first step of the GPT-2


def timed(step: Step) -> float:
    """Seconds of one training step."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def probed(every: int) -> Live:
    """Probes, not yet put in."""
    kernels = select().kernels
    return Live(Recorder(None), kernels, Schedule(every=every), decide, lambda *_: None)


def measure(name: str, pairs: int, every: int) -> dict[str, float]:
    """Times of plain and probed steps."""
    model, step = MODELS[name]()
    live = probed(every)
    plain_times, probed_times = [], []
    for pair in range(pairs + 3):  # the first three warm up
        plain = timed(step)
        live.start(model)
        try:
            watched = timed(step)
        finally:
            live.pause(model)
        if pair >= 3:
            plain_times.append(plain)
            probed_times.append(watched)
    layers = live.coverage()["layers"]
    live.stop(model)
    ratios = [b / a for a, b in zip(plain_times, probed_times, strict=True)]
    return {
        "plain_ms": 1e3 * statistics.median(plain_times),
        "probed_ms": 1e3 * statistics.median(probed_times),
        "ratio": statistics.median(ratios),
        "low": statistics.quantiles(ratios, n=4)[0],
        "high": statistics.quantiles(ratios, n=4)[2],
        "layers": layers,
        "pairs": pairs,
    }


def first_step(name: str, watched: bool) -> float:
    """Seconds of the first step of a new process, probes put in before it; imports are not counted."""
    warm_up()  # as `hypocenter run` does while the script imports
    model, step = MODELS[name]()
    live = probed(1)
    began = time.perf_counter()
    if watched:
        live.start(model)
    step()
    return time.perf_counter() - began


def first_steps(name: str, runs: int) -> dict[str, float]:
    """Medians over fresh processes, plain and probed in turn."""
    times: dict[str, list[float]] = {"plain": [], "probed": []}
    for _ in range(runs):
        for kind, found in times.items():
            command = [sys.executable, __file__, name, "--first", kind]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout.splitlines()[-1]))
    return {kind: statistics.median(found) for kind, found in times.items()}


def table(rows: dict[str, dict[str, float]], first: dict[str, float] | None) -> str:
    """The section of RESULTS.md."""
    lines = [
        "## Overhead: everything measured on every step",
        "",
        machine(),
        "",
        "| model | layers | plain ms | probed ms | ratio (quartiles) | goal | pairs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in rows.items():
        spread = f"{row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        lines.append(
            f"| {name} | {row['layers']:.0f} | {row['plain_ms']:.2f} | {row['probed_ms']:.2f} "
            f"| {spread} | {GOALS[name]} | {row['pairs']:.0f} |"
        )
    if first is not None:
        extra = first["probed"] - first["plain"]
        lines += [
            "",
            f"First step of the GPT-2 in a new process: {first['plain']:.2f} s plain, {first['probed']:.2f} s probed, "
            f"{extra:.2f} s extra (goal {FIRST_STEP_GOAL:.0f} s).",
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the section unless told not to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"some of {', '.join(MODELS)}; all by default")
    parser.add_argument("--steps", type=int, help="pairs of steps per model")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--threads", type=int, help="threads of torch")
    parser.add_argument("--dry", action="store_true", help="print only")
    parser.add_argument("--first", choices=("plain", "probed"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.models) - set(MODELS):
        parser.error(f"no such model: {', '.join(sorted(unknown))}; there are {', '.join(MODELS)}")
    names = options.models or list(MODELS)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.first:
        print(json.dumps(first_step(names[0], options.first == "probed")))
        return
    rows = {name: measure(name, options.steps or STEPS[name], options.every) for name in names}
    first = first_steps("gpt2", 3) if "gpt2" in rows else None
    text = table(rows, first)
    print(text)
    if not options.dry:
        replace_section("overhead", text)


if __name__ == "__main__":
    main()
