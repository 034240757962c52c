"""Many tensors in one call give the same figures as each of them alone, in both implementations."""

import numpy as np
import pytest

from hypocenter.kernels.figures import WIDTH
from hypocenter.kernels.numba_kernels import NumbaKernels
from hypocenter.kernels.reference import ReferenceKernels

KERNELS = [ReferenceKernels(), NumbaKernels()]
SIZES = (1, 7, 4096, 4097, 20_000)


def arrays(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    made = [random.standard_normal(size).astype(np.float32) for size in SIZES]
    made[1][2], made[2][5], made[3][0] = np.nan, np.inf, 0.0
    return made


def addresses(held: list[np.ndarray]) -> np.ndarray:
    return np.array([array.ctypes.data for array in held], np.int64)


@pytest.mark.parametrize("kernels", KERNELS, ids=lambda one: one.name)
def test_statistics(kernels):
    held, sizes = arrays(0), np.array(SIZES, np.int64)
    rows = np.full((len(SIZES), WIDTH + 6), 7.0)
    kernels.statistics_table(addresses(held), sizes, rows)
    for row, array in zip(rows, held, strict=True):
        alone = np.empty(WIDTH)
        kernels.statistics(array, alone)
        np.testing.assert_array_equal(row[:WIDTH], alone)
        assert (row[WIDTH:] == 7.0).all()


@pytest.mark.parametrize("kernels", KERNELS, ids=lambda one: one.name)
def test_updates(kernels):
    new, previous, again = arrays(1), arrays(2), arrays(2)
    sizes = np.array(SIZES, np.int64)
    weights, updates = np.empty((2, len(SIZES), WIDTH))
    kernels.update_table(addresses(new), addresses(previous), sizes, weights, updates)
    for i, array in enumerate(new):
        weight, update = np.empty((2, WIDTH))
        kernels.update_statistics(array, again[i], weight, update)
        np.testing.assert_array_equal(weights[i], weight)
        np.testing.assert_array_equal(updates[i], update)
        np.testing.assert_array_equal(previous[i], array)


@pytest.mark.parametrize("kernels", KERNELS, ids=lambda one: one.name)
def test_nothing_at_all(kernels):
    none, rows = np.empty(0, np.int64), np.empty((0, WIDTH))
    kernels.statistics_table(none, none, rows)
    kernels.update_table(none, none, none, rows, rows)
