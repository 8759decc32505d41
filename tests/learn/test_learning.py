"""Learning tests: a short run must beat a known baseline on unseen seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.config_sources import resolve
from mmrl.learn.policy import policy_weights
from mmrl.learn.trainer import Trainer
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import learned, naive, table

UNSEEN = 987_654_321


def trainer(preset: str, **settings: Any) -> Trainer:
    return Trainer(resolve({"threads": 2, **settings}, None, preset, {})[0])


def interval(values: np.ndarray) -> tuple[float, float]:
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def values(t: Trainer, count: int = 400, deterministic: bool = False) -> np.ndarray:
    quoter = learned(policy_weights(t.policy, t.normaliser), deterministic)
    return rollout(t.config, quoter, UNSEEN, 1, count=count).final_value


def mean_variance(value: np.ndarray, gamma: float = 0.1) -> float:
    """Certainty equivalent of CARA utility to second order."""
    return float(value.mean() - gamma / 2 * value.var())


@pytest.mark.learning
def test_ppo_on_avellaneda_stoikov_beats_the_symmetric_benchmark() -> None:
    t = trainer("avellaneda-stoikov", nb=500, lr=0.01)
    list(t.run(40))
    market = t.config.market
    half = market.gamma * market.sigma**2 * market.horizon / 4 + np.log(1 + market.gamma / market.k) / market.gamma
    symmetric = rollout(t.config, table(np.full((market.nt, 1, 2), half)), UNSEEN, 1, count=2000).final_value
    learned_ce, symmetric_ce = mean_variance(values(t, 2000, True)), mean_variance(symmetric)
    assert learned_ce > symmetric_ce + 1.5


@pytest.mark.learning
def test_ppo_on_the_book_beats_its_start_and_the_naive_agent() -> None:
    t = trainer("quickstart", nt=300)
    before = values(t)
    list(t.run(25))
    after = values(t)
    mirror = rollout(t.config, naive(), UNSEEN, 1, count=400).final_value
    assert interval(after)[0] > interval(before)[1]
    assert interval(after)[0] > interval(mirror)[1]


@pytest.mark.learning
@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_reinforce_improves_over_its_start(kind: str) -> None:
    t = trainer("quickstart", nt=300, algorithm="reinforce", lr=0.02, minibatches=1, **{"policy.kind": kind})
    before = values(t)
    list(t.run(40))
    assert interval(values(t))[0] > interval(before)[1]
