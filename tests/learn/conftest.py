"""Ragged batches for the learner's tests."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mmrl.rollout.trajectories import Trajectories

Make = Callable[..., Trajectories]


@pytest.fixture
def make_batch() -> Make:
    """Build a batch of the given lengths; keyword arguments replace its random columns."""

    def make(lengths: Sequence[int], obs: int = 3, actions: int = 2, seed: int = 0, **columns: Any) -> Trajectories:
        rng = np.random.default_rng(seed)
        n, nnz = len(lengths), int(sum(lengths))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        step = np.concatenate([np.arange(k, dtype=np.int32) for k in lengths] or [np.zeros(0, np.int32)])
        made: dict[str, Any] = {
            "observation": rng.normal(size=(nnz, obs)).astype(np.float32),
            "action": rng.normal(size=(nnz, actions)).astype(np.float32),
            "log_prob": rng.normal(-2, 0.3, size=nnz).astype(np.float32),
            "inventory": rng.integers(-5, 5, nnz).astype(np.int32),
            "final_inventory": rng.integers(-5, 5, n).astype(np.int32),
            "terminated": np.zeros(n, dtype=bool),
            "last_observation": rng.normal(size=(n, obs)).astype(np.float32),
        }
        for name in ("reward", "value", "mid", "bid", "ask", "wealth"):
            made[name] = rng.normal(size=nnz)
        for name in ("final_value", "final_wealth", "final_mid"):
            made[name] = rng.normal(size=n)
        made.update(columns)
        return Trajectories(offsets=offsets, step=step, **made)

    return make
