"""Every test that takes `kernels` runs with both implementations."""

import pytest

from hypocenter.kernels.numba_kernels import NumbaKernels
from hypocenter.kernels.protocol import Kernels
from hypocenter.kernels.reference import ReferenceKernels


@pytest.fixture(params=[ReferenceKernels, NumbaKernels], ids=lambda kind: kind.name)
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return request.param()
