"""Quantiles of an epoch's trajectories in its record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmrl.learn.record import batch_record
from mmrl.rollout.trajectories import Trajectories


@pytest.fixture
def batch(make_trajectories: Callable[..., Trajectories]) -> Callable[[list[int]], Trajectories]:
    def make(lengths: list[int]) -> Trajectories:
        rng = np.random.default_rng(1)
        rows = sum(lengths)
        mid = rng.normal(100, 1, rows)
        return make_trajectories(
            lengths,
            reward=rng.normal(size=rows),
            inventory=rng.integers(-9, 9, rows).astype(np.int32),
            mid=mid,
            bid=mid - rng.uniform(1, 2, rows),
            ask=mid + rng.uniform(1, 2, rows),
            final_value=rng.normal(50, 20, len(lengths)),
        )

    return make


def test_quantiles_are_those_of_the_trajectories(batch: Callable[[list[int]], Trajectories]) -> None:
    lengths = [3, 10, 1, 7, 5, 12, 2, 9, 4, 6, 8]
    b = batch(lengths)
    record = batch_record(b)
    parts = [slice(a, z) for a, z in zip(b.offsets[:-1], b.offsets[1:], strict=True)]
    each: dict[str, Any] = {
        "reward": [b.reward[p].sum() for p in parts],
        "value": b.final_value,
        "inventory": [b.inventory[p].mean() for p in parts],
        "spread": [(b.ask - b.bid)[p].mean() for p in parts],
    }
    for name, values in each.items():  # of eleven sorted numbers the second is the 10 % quantile, the tenth the 90 %
        assert record[f"{name}_q10"] == pytest.approx(sorted(values)[1])
        assert record[f"{name}_q90"] == pytest.approx(sorted(values)[9])


def test_a_trajectory_of_no_step_has_no_mean(batch: Callable[[list[int]], Trajectories]) -> None:
    record = batch_record(batch([4, 0, 4]))
    assert np.isfinite([record["inventory_q10"], record["spread_q90"], record["reward_q10"]]).all()
