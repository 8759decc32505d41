"""The objective that grades a run is what its rewards add up to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.evaluate.compare import named_agent
from mmrl.evaluate.grade import Grader
from mmrl.learn.trainer import Trainer
from mmrl.markets.avellaneda_stoikov.optimum import value_of_quotes
from mmrl.markets.contract import Objective
from mmrl.markets.objective import objective_of
from mmrl.rollout.compiled import rollout
from mmrl.settings.sources import resolve
from tests.conftest import game_of

GAME = "avellaneda-stoikov"


@pytest.mark.parametrize("utility", ["linear", "mean-variance", "inventory-penalty"])
def test_the_exact_value_is_the_mean_of_the_rewards(utility: str) -> None:
    changes: dict[str, Any] = {"inventory_penalty": 0.4} if utility == "inventory-penalty" else {}
    config, _ = resolve(
        {"utility": utility, "final_penalty": 0.3, "gamma": 0.5, "nt": 40, "start_inventory": 0, **changes},
        None,
        GAME,
        {},
    )
    entrant = named_agent("symmetric", config)
    total = rollout(config, entrant.quoter, 3, 0, count=20_000)
    rewards = total.segment_sum(total.reward)
    assert entrant.quotes is not None
    exact = value_of_quotes(game_of(config), objective_of(config), entrant.quotes)
    assert rewards.mean() == pytest.approx(exact, abs=4 * rewards.std() / np.sqrt(20_000))
    assert abs(value_of_quotes(game_of(config), Objective(gamma=0.5), entrant.quotes) - exact) > 0.5  # tells them apart


def test_final_cara_utility_counts_with_the_risk_aversion_it_was_trained_with() -> None:
    config, _ = resolve({"utility": "cara", "risk_aversion": 0.05, "gamma": 0.5, "nt": 40}, None, GAME, {})
    assert objective_of(config) == Objective(gamma=0.05)


def test_a_reward_that_no_solver_knows_is_graded_by_its_own_sum() -> None:
    config, _ = resolve({"utility": "damped", "nt": 20, "nb": 20, "threads": 1}, None, GAME, {})
    trainer = Trainer(config)
    grade = Grader(config).grade(trainer.policy, trainer.normaliser)
    assert grade.scores is not None and grade.value == pytest.approx(grade.scores.mean())
    assert grade.optimality is not None  # of CARA utility, beside it
