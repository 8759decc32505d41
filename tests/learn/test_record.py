"""Figures of a batch, against numpy's own."""

from __future__ import annotations

import numpy as np
import pytest

from mmrl.learn.record import _quantiles


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 16, 100])
def test_quantiles_are_those_of_numpy_to_the_last_bit(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(50):
        values = rng.normal(size=count) * 10.0 ** rng.integers(-8, 9)
        found = _quantiles({"reward": values})
        want = np.quantile(values, [0.1, 0.9])
        assert list(found) == ["reward_q10", "reward_q90"] and list(found.values()) == want.tolist()


def test_trajectories_without_a_step_have_no_part_in_quantiles() -> None:
    found = _quantiles({"spread": np.array([np.nan, 3.0, 1.0]), "inventory": np.array([np.nan, np.nan, np.nan])})
    assert found["spread_q10"] == np.quantile([1.0, 3.0], 0.1) and found["spread_q90"] == np.quantile([1.0, 3.0], 0.9)
    assert np.isnan(found["inventory_q10"]) and np.isnan(found["inventory_q90"])
