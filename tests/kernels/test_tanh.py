"""tanh in arithmetic alone, one by one and in vectors."""

import numpy as np
import pytest
from numba import njit

from mmrl.kernels.instructions import WIDEST
from mmrl.kernels.tanh import tanh, tanh_all, tanh_beside

GRID = np.linspace(-10, 10, 10_001).astype(np.float32)


@njit
def in_vectors(x, count):  # type: ignore[no-untyped-def]
    tanh_beside(x, count)


def test_it_is_tanh() -> None:
    fast = GRID.copy()
    tanh_all(fast, len(fast))
    np.testing.assert_allclose(fast, np.tanh(GRID.astype(float)), rtol=1e-6, atol=1e-7)
    assert np.abs(fast).max() <= 1.0 and (fast[:1_000] == fast[0]).all()  # beyond 8 it grows no more


@pytest.mark.parametrize("count", [0, WIDEST, 5 * WIDEST])
def test_in_vectors_it_is_the_same_and_what_lies_behind_stays(count: int) -> None:
    x = np.random.default_rng(0).normal(scale=4.0, size=(5, 2, WIDEST)).astype(np.float32)
    x[0, 0, 1] = np.nan  # nothing hides it
    seen = x.copy()
    in_vectors(seen, count)
    wanted = x.ravel().copy()
    wanted[:count] = [tanh(one) if one == one else one for one in wanted[:count]]
    np.testing.assert_array_equal(seen.ravel(), wanted)
