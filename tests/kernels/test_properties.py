"""Laws of the statistics that hold for any values: chunks, merging, order, and NaN or infinities anywhere."""

import itertools

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hypocenter.kernels import merge
from hypocenter.kernels.figures import STATISTICS, WIDTH, empty
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.reference import ReferenceKernels

SUM, SUMSQ = STATISTICS.index("sum"), STATISTICS.index("sumsq")
EXACT = [i for i in range(WIDTH) if i not in {SUM, SUMSQ}]

#: The `kernels` fixture has no state that one example could leave to the next.
laws = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

#: Any float of a dtype, but none whose square or sum overflows float64.
ELEMENTS = {
    np.float16: st.floats(width=16),
    np.float32: st.floats(width=32),
    np.float64: st.floats(-1e150, 1e150) | st.sampled_from([np.nan, np.inf, -np.inf]),
}

any_floats = st.sampled_from([np.float16, np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=40), elements=ELEMENTS[dtype]
    )
)


@st.composite
def long_arrays(draw: st.DrawFn) -> np.ndarray:
    """More elements than a block has, mostly normal, with some drawn values in drawn places."""
    size = draw(st.integers(1, 12_000))
    scale = draw(st.sampled_from([1e-42, 1e-20, 1e-3, 1.0, 1e5, 1e19, 1e37]))
    x = (np.random.default_rng(draw(st.integers(0, 9))).normal(size=size) * scale).astype(np.float32)
    for place, value in draw(st.lists(st.tuples(st.integers(0, size - 1), st.floats(width=32)), max_size=6)):
        x[place] = value
    return x


def figures(kernels: Kernels, x: np.ndarray, low: float = -1.0, high: float = 0.5) -> np.ndarray:
    out = np.empty(WIDTH)
    kernels.statistics(x, out, low, high)
    return out


def assert_same(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> None:
    """Equal counts and extremes; sums equal up to the rounding of float32 partial sums."""
    assert a[EXACT].tolist() == b[EXACT].tolist()
    finite = np.abs(x[np.isfinite(x)].astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_allclose(a[SUM], b[SUM], rtol=1e-12, atol=min(1e-5 * np.sum(finite), 1e300))
    np.testing.assert_allclose(a[SUMSQ], b[SUMSQ], rtol=1e-5)


@laws
@given(x=any_floats, low=st.floats(width=32), high=st.floats(width=32))
def test_any_array_has_the_figures_of_the_reference(kernels: Kernels, x: np.ndarray, low: float, high: float) -> None:
    assert_same(figures(kernels, x, low, high), figures(ReferenceKernels(), x, low, high), x)


@laws
@given(x=long_arrays())
def test_nan_and_infinities_anywhere(kernels: Kernels, x: np.ndarray) -> None:
    assert_same(figures(kernels, x), figures(ReferenceKernels(), x), x)
    assert kernels.nonfinite(x) == np.count_nonzero(~np.isfinite(x))


@laws
@given(x=long_arrays(), cuts=st.lists(st.integers(0, 12_000), max_size=4))
def test_figures_do_not_depend_on_the_chunks(kernels: Kernels, x: np.ndarray, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, x.size) for cut in cuts), x.size]
    merged = empty()
    for start, stop in itertools.pairwise(places):
        merged = merge(merged, figures(kernels, x[start:stop]))
    assert_same(merged, figures(kernels, x), x)


@laws
@given(x=any_floats, y=any_floats)
def test_merge_is_commutative_and_has_a_neutral_element(kernels: Kernels, x: np.ndarray, y: np.ndarray) -> None:
    a, b = figures(kernels, x), figures(kernels, y)
    assert merge(a, b).tolist() == merge(b, a).tolist()
    assert merge(a, empty()).tolist() == merge(empty(), a).tolist() == a.tolist()


@laws
@given(x=long_arrays(), seed=st.integers(0, 99))
def test_figures_do_not_depend_on_the_order(kernels: Kernels, x: np.ndarray, seed: int) -> None:
    assert_same(figures(kernels, np.random.default_rng(seed).permutation(x)), figures(kernels, x), x)


@laws
@given(x=any_floats, data=st.data())
def test_units_add_up_to_the_whole(kernels: Kernels, x: np.ndarray, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    zeros, saturated, out = np.zeros(x.shape[axis], np.int64), np.zeros(x.shape[axis], np.int64), np.empty(WIDTH)
    kernels.unit_statistics(x, out, -1.0, 0.5, axis, zeros, saturated)
    assert zeros.sum() == out[STATISTICS.index("zeros")]
    assert saturated.sum() == out[STATISTICS.index("low")] + out[STATISTICS.index("high")]
    assert_same(out, figures(kernels, x), x)
