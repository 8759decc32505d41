"""Learning tests: a short run must beat a known baseline on unseen seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.evaluate.grade import Grader
from mmrl.learn.trainer import Trainer
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import heuristic, learned
from mmrl.settings.sources import resolve

UNSEEN = 987_654_321


def trainer(preset: str, **settings: Any) -> Trainer:
    return Trainer(resolve({"threads": 2, **settings}, None, preset, {})[0])


def interval(values: np.ndarray) -> tuple[float, float]:
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def values(t: Trainer, count: int = 400, deterministic: bool = False) -> np.ndarray:
    quoter = learned(t.policy.weights(t.normaliser), deterministic)
    return rollout(t.config, quoter, UNSEEN, 1, count=count).final_value


@pytest.mark.learning
def test_ppo_on_avellaneda_stoikov_beats_the_closed_forms() -> None:
    """From quotes that ignore inventory to more than the frozen-inventory agent's 96.2 % of the exact optimum."""
    t = trainer("avellaneda-stoikov", skew="none", ne=30)
    grader = Grader(t.config)
    before = grader.grade(t.policy, t.normaliser).optimality
    list(t.run(30))
    after = grader.grade(t.policy, t.normaliser).optimality
    assert before is not None and before < 0.75  # the symmetric agent's 72.4 %
    assert after is not None and after > 0.98


@pytest.mark.nightly
@pytest.mark.learning
def test_entropic_utility_raises_the_exact_value_where_mean_variance_lowers_it() -> None:
    """With strong risk aversion the fills have a risk of their own, which mean-variance leaves out."""
    after = {}
    for utility in ("entropic", "mean-variance"):
        t = trainer("avellaneda-stoikov", utility=utility, gamma=2.0, skew="risk", ne=50)
        list(t.run(50))
        reward = t.config.reward.model_copy(update={"utility": "entropic"})  # both are graded as CARA
        after[utility] = Grader(t.config.model_copy(update={"reward": reward})).grade(t.policy, t.normaliser).optimality
    assert after["mean-variance"] is not None and after["entropic"] is not None
    assert after["mean-variance"] < 0.89 < 0.915 < 0.975 < after["entropic"]  # both start at 0.915


@pytest.mark.learning
def test_ppo_on_the_book_beats_its_start_and_the_naive_agent() -> None:
    t = trainer("quickstart", nt=300)
    before = values(t)
    list(t.run(25))
    after = values(t)
    mirror = rollout(t.config, heuristic(), UNSEEN, 1, count=400).final_value
    assert interval(after)[0] > interval(before)[1]
    assert interval(after)[0] > interval(mirror)[1]


@pytest.mark.learning
@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_reinforce_improves_over_its_start(kind: str) -> None:
    t = trainer("quickstart", nt=300, algorithm="reinforce", lr=0.02, **{"policy.kind": kind})
    before = values(t)
    list(t.run(40))
    assert interval(values(t))[0] > interval(before)[1]


def test_learning_rates_fall_in_a_straight_line() -> None:
    t = trainer("avellaneda-stoikov", nt=5, nb=4, ne=5, lr=0.01, lr_end=0.2)
    rates = [epoch.record["learning_rate"] for epoch in t.run(5)]
    np.testing.assert_allclose(rates, [0.01, 0.008, 0.006, 0.004, 0.002])
    assert t.optimiser.rate == pytest.approx(0.002)
    assert next(t.run(6)).record["learning_rate"] == pytest.approx(0.002)  # expanded runs go on with the last rate
