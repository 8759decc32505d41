"""Memory asked for in advance: nothing changes, whatever the shape of the arrays."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmrl.kernels.prefetch import prefetch_of

PAIR = np.dtype([("a", np.int32), ("b", np.float64)])
fetch = prefetch_of([0, 2, 3])


@njit
def fetched(parts, i):  # type: ignore[no-untyped-def]
    fetch(parts, i)


def test_arrays_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    parts = (np.zeros(5, PAIR), rng.normal(size=3), rng.integers(9, size=(5, 1_000)), np.zeros((5, 0)))
    parts[0]["b"] = rng.normal(size=5)
    before = [part.copy() for part in parts]
    for i in range(5):
        fetched(parts, i)
    assert all(np.array_equal(a, b) for a, b in zip(parts, before, strict=True))
