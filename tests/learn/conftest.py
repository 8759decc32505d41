"""Ragged batches for the learner's tests."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mmrl.rollout.trajectories import Trajectories

Make = Callable[..., Trajectories]


@pytest.fixture
def make_batch(make_trajectories: Make) -> Make:
    """Build a batch of the given lengths; keyword arguments replace its random columns."""

    def make(lengths: Sequence[int], obs: int = 3, actions: int = 2, seed: int = 0, **columns: Any) -> Trajectories:
        rng = np.random.default_rng(seed)
        n, nnz = len(lengths), int(sum(lengths))
        made: dict[str, Any] = {
            "observation": rng.normal(size=(nnz, obs)).astype(np.float32),
            "action": rng.normal(size=(nnz, actions)).astype(np.float32),
            "log_prob": rng.normal(-2, 0.3, size=nnz).astype(np.float32),
            "inventory": rng.integers(-5, 5, nnz).astype(np.int32),
            "final_inventory": rng.integers(-5, 5, n).astype(np.int32),
            "last_observation": rng.normal(size=(n, obs)).astype(np.float32),
        }
        for name in ("reward", "mid", "bid", "ask", "cash"):
            made[name] = rng.normal(size=nnz)
        for name in ("final_value", "final_cash", "final_mid"):
            made[name] = rng.normal(size=n)
        return make_trajectories(lengths, obs, actions, **{**made, **columns})

    return make
