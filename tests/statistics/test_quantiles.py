"""Quantiles of sorted numbers, against numpy's own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmrl.statistics.quantiles import of_sorted


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 16, 100, 1001])
def test_quantiles_are_those_of_numpy_to_the_last_bit(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(50):
        for values in (rng.normal(size=count) * 10.0 ** rng.integers(-8, 9), rng.integers(0, 50, count, np.int32)):
            for share in (0.0, 0.05, 0.5, 0.99, 1.0):
                found = of_sorted(np.sort(values), share)
                assert found == np.quantile(values, share) == of_sorted(np.sort(values).tolist(), share)


def test_nothing_has_no_quantile() -> None:
    assert math.isnan(of_sorted([], 0.5))
