"""Both implementations of the kernels give the figures that their comments promise, whatever the tensor."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hypocenter.errors import BadInputError
from hypocenter.kernels.figures import STATISTICS, WIDTH, empty
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.reference import widen

DTYPES = ("float16", "bfloat16", "float32", "float64")
SIZES = (0, 1, 2, 31, 257, 4095, 4096, 4097, 20_000)
ROUNDED = {"sum", "sumsq"}
TOLERANCE = {"float16": 1e-5, "bfloat16": 1e-5, "float32": 1e-5, "float64": 1e-12}  # of a sum, relative to sum |x|


def encode(values: Any, dtype: str) -> np.ndarray:
    """The values as the array that kernels take for this dtype."""
    with np.errstate(over="ignore"):
        if dtype == "bfloat16":
            return (np.asarray(values, np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
        return np.asarray(values).astype(dtype)


def meaning(dtype: str) -> str | None:
    return dtype if dtype == "bfloat16" else None


SMALLEST_NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}


def expected(x: np.ndarray, dtype: str, low: float = -math.inf, high: float = math.inf) -> dict[str, float]:
    """The figures, one Python float after the other."""
    values = [float(v) for v in widen(x, dtype).ravel()]
    finite = [v for v in values if math.isfinite(v)]
    if dtype != "float64":
        with np.errstate(over="ignore"):
            low, high = float(np.float32(low)), float(np.float32(high))
    return {
        "count": len(values),
        "nan": sum(map(math.isnan, values)),
        "posinf": values.count(math.inf),
        "neginf": values.count(-math.inf),
        "zeros": values.count(0.0),
        "negatives": sum(v < 0 for v in finite),
        "subnormals": sum(0 < abs(v) < SMALLEST_NORMAL[dtype] for v in finite),
        "min": min(finite, default=math.inf),
        "max": max(finite, default=-math.inf),
        "sum": math.fsum(finite),
        "sumsq": math.fsum(v * v for v in finite),
        "absmax": max(map(abs, finite), default=0.0),
        "low": sum(v <= low for v in finite),
        "high": sum(v >= high for v in finite),
    }


def assert_figures(out: np.ndarray, figures: dict[str, float], scale: float, dtype: str) -> None:
    got = dict(zip(STATISTICS, out[:WIDTH].tolist(), strict=True))
    exact = {name: value for name, value in figures.items() if name not in ROUNDED}
    assert {name: got[name] for name in exact} == exact
    assert got["sum"] == pytest.approx(figures["sum"], rel=0, abs=TOLERANCE[dtype] * scale)
    assert got["sumsq"] == pytest.approx(figures["sumsq"], rel=TOLERANCE[dtype], abs=0)


def check(kernels: Kernels, x: np.ndarray, dtype: str, low: float = -math.inf, high: float = math.inf) -> None:
    out = np.full(WIDTH + 2, 7.0)
    kernels.statistics(x, out, low, high, meaning(dtype))
    values = widen(x, dtype)
    scale = float(np.sum(np.abs(values[np.isfinite(values)]), dtype=np.float64))
    assert_figures(out, expected(x, dtype, low, high), scale, dtype)
    assert out[WIDTH:].tolist() == [7.0, 7.0]


def sample(size: int, dtype: str, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=size) * 3
    values[::5] = 0.0
    values[3::7] = -0.0
    values[4::11] = SMALLEST_NORMAL[dtype] / 4
    return encode(values, dtype)


def specials(dtype: str) -> dict[str, np.ndarray]:
    values = np.linspace(-2, 2, 5000)
    cases = {}
    for name, special in {"nan": math.nan, "-nan": -math.nan, "inf": math.inf, "-inf": -math.inf}.items():
        for place in (0, 4095, 4096, 4999):
            case = values.copy()
            case[place] = special
            cases[f"{name} at {place}"] = encode(case, dtype)
        cases[f"all {name}"] = encode(np.full(5000, special), dtype)
    mixed = values.copy()
    mixed[::3], mixed[1::3] = math.nan, math.inf
    cases["mixed"] = encode(mixed, dtype)
    return cases


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0-d": lambda x: x[:1].reshape(()),
    "4-d": lambda x: x.reshape(5, 4, 25, 40),
    "channels last": lambda x: x.reshape(5, 25, 40, 4).transpose(0, 3, 1, 2),
    "transposed": lambda x: x.reshape(40, 500).T,
    "strided": lambda x: x[::3],
    "reversed": lambda x: x[::-1],
    "inner slice": lambda x: x.reshape(20, 10, 100)[:, 2:9, ::2],
    "expanded": lambda x: np.broadcast_to(x[:600].reshape(3, 1, 200), (3, 7, 200)),
    "expanded scalar": lambda x: np.broadcast_to(x[1], (6, 5)),
    "expanded strided": lambda x: np.broadcast_to(x[:600:2].reshape(3, 1, 100), (3, 7, 100)),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype),
    "unaligned": lambda x: np.frombuffer(bytearray(b"-" + x.tobytes()), np.uint8)[1:].view(x.dtype),
    "empty 3-d": lambda x: x[:0].reshape(3, 0, 2),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_sizes(kernels: Kernels, dtype: str, size: int) -> None:
    check(kernels, sample(size, dtype), dtype, -1.5, 2.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(kernels: Kernels, dtype: str, layout: str) -> None:
    x = LAYOUTS[layout](sample(20_000, dtype))
    check(kernels, x, dtype, 0.0, 1.0)
    x = LAYOUTS[layout](encode(np.where(np.arange(20_000) % 3, 1.0, math.nan), dtype))
    check(kernels, x, dtype)
    assert kernels.nonfinite(x, meaning(dtype)) == np.count_nonzero(np.isnan(widen(x, dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values_anywhere(kernels: Kernels, dtype: str) -> None:
    for x in specials(dtype).values():
        check(kernels, x, dtype, -1.0, 1.0)
        assert kernels.nonfinite(x, meaning(dtype)) == np.count_nonzero(~np.isfinite(widen(x, dtype)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_16_bit_pattern(kernels: Kernels, dtype: str) -> None:
    patterns = np.arange(65_536, dtype=np.uint16)
    x = patterns.view(np.float16) if dtype == "float16" else patterns
    check(kernels, x, dtype, -0.5, 0.5)
    for block in np.split(x, 256):
        check(kernels, block, dtype)


@pytest.mark.parametrize(
    "scale", [1e-45, 1e-40, 1e-38, 1e-30, 1e-20, 1e-15, 1e-12, 1e-6, 1.0, 1e10, 1e16, 1e18, 1e20, 1e30, 1e38]
)
def test_float32_partial_sums_neither_overflow_nor_vanish(kernels: Kernels, scale: float) -> None:
    values = np.random.default_rng(1).uniform(0.1, 3.0, 10_000) * scale
    check(kernels, values.astype(np.float32), "float32")
    check(kernels, np.full(5000, scale, np.float32), "float32")


def test_opposite_large_values_cancel(kernels: Kernels) -> None:
    check(kernels, np.tile(np.array([3e38, -3e38], np.float32), 4000), "float32")


@pytest.mark.parametrize("bound", [0.0, -0.0, 0.1, 1e300, -1e300, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bounds_include_equal_values_and_only_finite_ones(kernels: Kernels, dtype: str, bound: float) -> None:
    x = encode([0.0, -0.0, 0.1, -0.1, 1.0, -1.0, math.inf, -math.inf, math.nan], dtype)
    check(kernels, x, dtype, bound, bound)


def test_statistics_of_nothing_are_the_neutral_element(kernels: Kernels) -> None:
    out = np.empty(WIDTH)
    kernels.statistics(np.empty((0, 3), np.float32), out)
    assert out.tolist() == empty().tolist()


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex64", "longdouble", "uint16"])
def test_other_dtypes_are_refused_in_a_sentence(kernels: Kernels, dtype: str) -> None:
    x, out = np.ones((2, 2), dtype), np.empty(WIDTH)
    counters = np.zeros(2, np.int64)
    for call in (
        lambda: kernels.statistics(x, out),
        lambda: kernels.unit_statistics(x, out, 0.0, 1.0, 0, counters, counters),
        lambda: kernels.gradient_statistics(x, x, out, np.empty(2)),
        lambda: kernels.update_statistics(x, x.copy(), out, out),
        lambda: kernels.nonfinite(x),
    ):
        with pytest.raises(BadInputError, match=rf"floating-point tensors .*, not '{x.dtype.name}'\.$"):
            call()


def test_bits_of_a_wrong_width_are_refused(kernels: Kernels) -> None:
    with pytest.raises(BadInputError, match="'float32' cannot be read as 'bfloat16'"):
        kernels.statistics(np.ones(3, np.float32), np.empty(WIDTH), dtype="bfloat16")
