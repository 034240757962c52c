"""The passes that do more than statistics: per-unit counts, relevance, updates, and the guard."""

import math
from typing import Any

import numpy as np
import pytest

from hypocenter.errors import BadInputError
from hypocenter.kernels.figures import WIDTH
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.reference import ReferenceKernels, widen

DTYPES = ("float16", "bfloat16", "float32", "float64")


def encode(values: Any, dtype: str) -> np.ndarray:
    if dtype == "bfloat16":
        return np.asarray(np.asarray(values, np.float32).view(np.uint32) >> np.uint32(16), np.uint16)
    return np.asarray(values).astype(dtype)


def meaning(dtype: str) -> str | None:
    return dtype if dtype == "bfloat16" else None


def activations(shape: tuple[int, ...], dtype: str, *, special: bool = False, seed: int = 0) -> np.ndarray:
    """Half zeros, as after a ReLU; the first unit of any axis has more of them, the values differ everywhere."""
    values = np.maximum(np.random.default_rng(seed).normal(size=shape), 0)
    if values.size > 3:
        values[..., 0] = 0
        values.flat[1] = -0.0
    if special and values.size > 9:
        values.flat[2::9] = math.nan
        values.flat[3::9] = math.inf
        values.flat[5::9] = -math.inf
    return encode(values, dtype)


SHAPES = [
    (3,), (700,), (4, 1), (1, 6), (33, 10), (500, 3), (7, 256), (5, 600), (3, 5000), (2, 3, 16), (4, 8, 7, 7),
    (2, 5, 70, 70), (9, 300, 2), (0, 4), (4, 0), (3, 0, 5),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_units(kernels: Kernels, dtype: str, shape: tuple[int, ...], special: bool) -> None:
    x = activations(shape, dtype, special=special)
    for axis in range(-1, x.ndim):
        check_units(kernels, x, dtype, axis)


def check_units(kernels: Kernels, x: np.ndarray, dtype: str, axis: int, low: float = 0.25, high: float = 1.0) -> None:
    units = np.moveaxis(widen(x, dtype), axis, 0).reshape(x.shape[axis], -1 if x.size else 0)
    zeros, saturated = np.full(x.shape[axis], 5), np.full(x.shape[axis], 9)
    out, plain = np.empty(WIDTH), np.empty(WIDTH)
    kernels.unit_statistics(x, out, low, high, axis, zeros, saturated, meaning(dtype))
    assert (zeros - 5).tolist() == [int(np.sum(unit == 0)) for unit in units]
    at_bound = np.isfinite(units) & ((units <= low) | (units >= high))
    assert (saturated - 9).tolist() == [int(np.sum(unit)) for unit in at_bound]
    ReferenceKernels().statistics(x, plain, low, high, meaning(dtype))
    np.testing.assert_allclose(out, plain, rtol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_units_in_every_layout(kernels: Kernels, dtype: str) -> None:
    x = activations((6, 20, 30, 40), dtype, special=True)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    layouts = [last, x[::2, ::3], x[:, ::-1], x.transpose(3, 0, 1, 2), np.broadcast_to(x[:, :1], x.shape)]
    layouts += [np.broadcast_to(x[:1], x.shape), np.broadcast_to(last[:, :, :1], x.shape), x[:, 1:, 1:]]
    layouts += [np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape)]
    for layout in layouts:
        for axis in (1, -1):
            check_units(kernels, layout, dtype, axis)


def test_units_without_zeros_or_bounds_are_left_alone(kernels: Kernels) -> None:
    zeros, saturated = np.zeros(3, np.int64), np.zeros(3, np.int64)
    x = np.ones((5, 3), np.float32)
    kernels.unit_statistics(x, np.empty(WIDTH), -math.inf, math.inf, 1, zeros, saturated)
    assert zeros.tolist() == saturated.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("axis", "units", "message"), [(2, 3, "has no axis 2"), (0, 3, r"needs counters of shape \(5")]
)
def test_units_that_do_not_fit_are_refused(kernels: Kernels, axis: int, units: int, message: str) -> None:
    counters = np.zeros(units, np.int64)
    with pytest.raises(BadInputError, match=message):
        kernels.unit_statistics(np.ones((5, 3), np.float32), np.empty(WIDTH), 0.0, 1.0, axis, counters, counters)


def arrangements(x: np.ndarray) -> list[np.ndarray]:
    """The same tensor, elementwise, in several layouts."""
    if x.ndim == 0:
        return [x, x[None][::-1].reshape(())]
    padded = np.zeros([2 * size for size in x.shape], x.dtype)[tuple(slice(None, None, 2) for _ in x.shape)]
    padded[...] = x
    return [x, np.asfortranarray(x), padded, np.ascontiguousarray(x[::-1])[::-1]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("shape", [(), (5,), (3, 0), (40, 30), (6, 50, 17), (3, 70_001)], ids=str)
def test_relevance(kernels: Kernels, dtype: str, shape: tuple[int, ...], special: bool) -> None:
    g = encode(np.random.default_rng(5).normal(size=shape), dtype)
    a = activations(shape, dtype, special=special) if shape else encode(np.array(0.5), dtype)
    products = widen(g, dtype).astype(np.float64) * widen(a, dtype).astype(np.float64)
    products = products[np.isfinite(products)]
    plain = np.empty(WIDTH)
    ReferenceKernels().statistics(g, plain, dtype=meaning(dtype))
    for some_g in arrangements(g):
        for some_a in arrangements(a):
            out, relevance = np.empty(WIDTH), np.full(2, 3.0)
            kernels.gradient_statistics(some_g, some_a, out, relevance, meaning(dtype))
            np.testing.assert_allclose(out, plain, rtol=1e-5, atol=1e-3)
            total = math.fsum(np.abs(products))
            assert relevance.tolist() == [
                pytest.approx(math.fsum(products), abs=1e-12 * total),
                pytest.approx(total, rel=1e-12),
            ]


def test_relevance_of_an_expanded_gradient(kernels: Kernels) -> None:
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    out, relevance = np.empty(WIDTH), np.empty(2)
    kernels.gradient_statistics(np.broadcast_to(np.float32(-0.5), (3, 4)), a, out, relevance)
    assert (out[0], out[5], out[9], *relevance) == (12, 12, -6.0, -33.0, 33.0)


def test_relevance_of_tiny_float32_does_not_vanish(kernels: Kernels) -> None:
    relevance = np.empty(2)
    kernels.gradient_statistics(
        np.full(8, 1e-30, np.float32), np.full(8, 1e-20, np.float32), np.empty(WIDTH), relevance
    )
    assert relevance == pytest.approx([8e-50, 8e-50], rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("shape", [(), (5,), (3, 0), (40, 30), (6, 50, 17), (3, 70_001)], ids=str)
def test_update(kernels: Kernels, dtype: str, shape: tuple[int, ...], special: bool) -> None:
    new = activations(shape, dtype, special=special) if shape else encode(np.array(0.5), dtype)
    old = encode(np.random.default_rng(6).normal(size=shape), dtype)
    with np.errstate(invalid="ignore"):
        difference = np.asarray(widen(new, dtype) - widen(old, dtype))
    expected = np.empty((2, WIDTH))
    ReferenceKernels().statistics(new, expected[0], dtype=meaning(dtype))
    ReferenceKernels().statistics(difference, expected[1])
    for some_new in arrangements(new):
        for previous in arrangements(old):
            kept, out = previous.copy(), np.empty((2, WIDTH))
            kernels.update_statistics(some_new, previous, out[0], out[1], meaning(dtype))
            np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-3)
            np.testing.assert_array_equal(previous.view(f"u{new.itemsize}"), new.view(f"u{new.itemsize}"))
            previous[...] = kept


def test_update_without_change_is_all_zeros(kernels: Kernels) -> None:
    x, out = np.random.default_rng(1).normal(size=5000).astype(np.float32), np.empty((2, WIDTH))
    kernels.update_statistics(x, x.copy(), out[0], out[1])
    assert (out[1, 0], out[1, 4], out[1, 11]) == (5000, 5000, 0.0)


@pytest.mark.parametrize("other", [np.ones((3, 2), np.float32), np.ones((2, 3), np.float64)], ids=["shape", "dtype"])
def test_pairs_that_do_not_fit_are_refused(kernels: Kernels, other: np.ndarray) -> None:
    x, out = np.ones((2, 3), np.float32), np.empty(WIDTH)
    with pytest.raises(BadInputError, match=r"must have one shape and dtype, not \(2, 3\) float32 and"):
        kernels.gradient_statistics(x, other, out, np.empty(2))
    with pytest.raises(BadInputError, match=r"must have one shape and dtype, not \(2, 3\) float32 and"):
        kernels.update_statistics(x, other, out, out)


def test_nonfinite_of_an_expanded_tensor_counts_logical_elements(kernels: Kernels) -> None:
    x = np.array([[1.0], [math.nan], [math.inf]], np.float32)
    assert kernels.nonfinite(np.broadcast_to(x, (3, 100))) == 200
