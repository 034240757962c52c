"""Measures the kernels on one thread against `numpy.sum` and against the same figures as torch operations.

Run: python benchmarks/bench_kernels.py. The contestants take turns in one process; medians are shown.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from results import machine, replace_section

from hypocenter.kernels import select
from hypocenter.kernels.protocol import Kernels

KIB, MIB = 2**10, 2**20
SIZES = (64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB)
LOW, HIGH = -1.0, 1.0


def torch_figures(x: torch.Tensor) -> torch.Tensor:
    """The 14 figures as one would write them with torch operations, one transfer at the end."""
    count = torch.count_nonzero
    finite = torch.isfinite(x)
    kept = torch.where(finite, x, 0.0)
    magnitude = kept.abs()
    wide = kept.double()
    return torch.stack(
        [
            torch.tensor(float(x.numel())),
            count(torch.isnan(x)),
            count(x == torch.inf),
            count(x == -torch.inf),
            count(x == 0),
            count(kept < 0),
            count((magnitude > 0) & (magnitude < 2.0**-126)),
            torch.where(finite, x, torch.inf).min(),
            torch.where(finite, x, -torch.inf).max(),
            wide.sum(),
            (wide * wide).sum(),
            magnitude.max(),
            count(finite & (x <= LOW)),
            count(finite & (x >= HIGH)),
        ]
    )


def alternate(contestants: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each contestant; each round calls all of them once, so that drift meets all alike."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def per_call(call: Callable[[], object], repeats: int = 100, rounds: int = 301) -> float:
    """Median seconds of one call, in bursts short enough to fit between interruptions by other processes."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        times.append((time.perf_counter() - start) / repeats)
    return statistics.median(times)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" if column == 0 else "---:" for column in range(len(head))), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def name_of(size: int) -> str:
    return f"{size // MIB} Mi" if size >= MIB else f"{size // KIB} Ki"


def against_others(kernels: Kernels, rounds: int) -> str:
    """Bandwidth of the full statistics, and how it compares."""
    rows, out = [], np.empty(14)
    for size in SIZES:
        x = np.random.default_rng(0).normal(size=size).astype(np.float32)
        tensor = torch.from_numpy(x)
        calls = {
            "kernel": lambda x=x: kernels.statistics(x, out, LOW, HIGH),
            "sum": lambda x=x: np.sum(x),
            "torch": lambda tensor=tensor: torch_figures(tensor),
        }
        for call in calls.values():
            call()
        took = alternate(calls, max(25, rounds * MIB // max(size, MIB)))
        rate = {name: x.nbytes / seconds / 1e9 for name, seconds in took.items()}
        row = (name_of(size), *(f"{rate[name]:.1f} GB/s" for name in ("kernel", "sum", "torch")))
        rows.append((*row, f"{rate['kernel'] / rate['sum']:.2f}", f"{took['torch'] / took['kernel']:.0f}"))
    return table(
        ("float32 elements", "statistics", "numpy.sum", "torch operations", "share of numpy.sum", "times torch"), rows
    )


def passes(kernels: Kernels, dtype: str, size: int) -> dict[str, Callable[[], object]]:
    """Every pass on contiguous tensors of `size` elements; half the values of an activation are zero."""
    rng = np.random.default_rng(1)
    meaning = dtype if dtype == "bfloat16" else None

    def encode(values: np.ndarray) -> np.ndarray:
        if dtype == "bfloat16":
            return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return values.astype(dtype)

    g = encode(rng.normal(size=size))
    values = np.maximum(rng.normal(size=size), 0)
    a, other, masked = encode(values), encode(rng.normal(size=size)), encode(np.where(values > 1, -np.inf, values))
    out, update, relevance = np.empty(14), np.empty(14), np.empty(2)
    units = min(256, size)
    zeros, saturated = np.zeros(units, np.int64), np.zeros(units, np.int64)
    last, planes = a.reshape(-1, units), a.reshape(-1, 16, size // 16 // max(1, size // (16 * 1024)))
    few = np.zeros(16, np.int64)
    return {
        "statistics": lambda: kernels.statistics(g, out, LOW, HIGH, meaning),
        "statistics, a third -inf": lambda: kernels.statistics(masked, out, LOW, HIGH, meaning),
        "unit_statistics, features last": lambda: kernels.unit_statistics(
            last, out, 0.0, 2.0, -1, zeros, saturated, meaning
        ),
        "unit_statistics, channels first": lambda: kernels.unit_statistics(planes, out, 0.0, 2.0, 1, few, few, meaning),
        "gradient_statistics": lambda: kernels.gradient_statistics(g, a, out, relevance, meaning),
        "update_statistics": lambda: kernels.update_statistics(g, other, out, update, meaning),
        "nonfinite": lambda: kernels.nonfinite(g, meaning),
    }


def all_passes(kernels: Kernels, rounds: int) -> str:
    """Nanoseconds per element of each pass and dtype at 1 Mi elements, and microseconds of a call with 256."""
    columns = ("float32", "bfloat16", "float16", "float64")
    large: dict[str, dict[str, float]] = {}
    for dtype in columns:
        calls = passes(kernels, dtype, MIB)
        for call in calls.values():
            call()
        large[dtype] = alternate(calls, rounds // 2)
    small = {name: per_call(call) for name, call in passes(kernels, "float32", 256).items()}
    rows = [
        (name, *(f"{large[dtype][name] / MIB * 1e9:.3f}" for dtype in columns), f"{small[name] * 1e6:.2f}")
        for name in small
    ]
    return table(("pass", *(f"{dtype}, ns/element" for dtype in columns), "256 float32, µs/call"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="rounds at 1 Mi elements and less")
    parser.add_argument("--dry-run", action="store_true", help="print only, leave RESULTS.md as it is")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kernels = select().kernels
    text = "\n\n".join(
        [
            "## Kernels",
            f"`python benchmarks/bench_kernels.py`, {kernels.name} kernels, one thread. {machine()}",
            "Goals: at least 0.5 of the bandwidth of `numpy.sum` and 15 times the speed of torch operations for the "
            "full statistics, less than 4 µs for 256 elements.",
            against_others(kernels, options.rounds),
            "Every pass, at 1 Mi elements, and the time of a whole call from Python for 256 elements:",
            all_passes(kernels, options.rounds),
        ]
    )
    print(text)
    if not options.dry_run:
        replace_section("kernels", text)


if __name__ == "__main__":
    main()
