"""The mirror image of a batch, and that the market it is used in is symmetric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn.mirror import is_mirrored, with_mirror_image
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.returns import LearningBatch
from mmrl.markets.avellaneda_stoikov import optimum
from mmrl.markets.avellaneda_stoikov.settings import Settings
from mmrl.markets.contract import Objective, spec_of
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve


def settings(preset: str = "avellaneda-stoikov", **given: Any) -> Config:
    return resolve(given, None, preset, {})[0]


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_rows_by_hand(kind: Any) -> None:
    config, seen = settings(), RunningNormaliser(2)
    seen.mean, seen.var = np.array([3.0, 0.5]), np.array([4.0, 0.25])
    # inventory 5 and -1 are 1 and -2 in these units, and -5 and 1 are -4 and -1
    batch = LearningBatch(
        observation=kind([[1.0, 0.25], [-2.0, 0.75]]),
        action=kind([[0.1, 0.2], [0.3, 0.4]]),
        log_prob=kind([-1.0, -2.0]),
        advantage=kind([5.0, 6.0]),
    )
    found = with_mirror_image(batch, config, seen)
    assert type(found.observation) is type(batch.observation)
    assert found.observation.tolist() == [[1.0, 0.25], [-2.0, 0.75], [-4.0, 0.25], [-1.0, 0.75]]
    np.testing.assert_allclose(found.action, [[0.1, 0.2], [0.3, 0.4], [0.2, 0.1], [0.4, 0.3]])
    assert found.log_prob.tolist() == [-1.0, -2.0, -1.0, -2.0]
    assert found.advantage.tolist() == [5.0, 6.0, 5.0, 6.0]


@pytest.mark.parametrize("objective", [Objective(gamma=0.5), Objective(phi=0.01, alpha=0.1)])
@pytest.mark.parametrize("changes", [{}, {"fill": "linear"}])
def test_the_market_is_worth_the_same_from_both_sides(objective: Objective, changes: dict[str, Any]) -> None:
    market = settings(nt=30, **changes).market
    assert isinstance(market, Settings)
    table = np.random.default_rng(0).uniform(0.1, 1.5, (30, 121, 2))
    image = table[:, ::-1, ::-1]
    assert not np.allclose(table, image)
    values = [optimum.value_of_quotes(market, objective, np.ascontiguousarray(t), 60) for t in (table, image)]
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_skews_are_those_of_the_other_side() -> None:
    bid, ask = spec_of(settings(skew="risk", policy="categorical")).axes
    assert bid.skew == -ask.skew != 0 and bid.grid_skew == -ask.grid_skew
    assert (bid.centre, bid.scale, bid.grid) == (ask.centre, ask.scale, ask.grid)


def test_only_where_market_reward_and_algorithm_allow_it() -> None:
    assert all(is_mirrored(settings(utility=u)) for u in ("entropic", "mean-variance", "cara", "linear"))
    assert is_mirrored(settings(utility="custom", immediate="pnl"))
    assert not is_mirrored(settings(utility="custom", immediate="wealth"))  # cash flows out where shares flow in
    assert not is_mirrored(settings(add_inventory=True))
    assert not is_mirrored(settings("quickstart"))
    assert not is_mirrored(settings(algorithm="reinforce"))  # no ratio
    assert not is_mirrored(settings(noclip=True)) and not is_mirrored(settings(target_kl=0.01))
