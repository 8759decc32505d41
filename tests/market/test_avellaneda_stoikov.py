"""The game of Avellaneda & Stoikov against the recomputed table of their paper."""

import math

import numpy as np
import pytest

from mmrl.config import build
from mmrl.market.avellaneda_stoikov import reservation_quotes
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed, table

REACH = 40


@pytest.mark.parametrize(
    ("strategy", "fill", "profit", "std", "std_q"),
    [
        ("inventory", "linear", 64.89, 6.55, 2.93),
        ("inventory", "poisson", 57.16, 6.38, 3.00),
        ("symmetric", "linear", 68.26, 13.42, 8.39),
        ("symmetric", "poisson", 61.02, 12.88, 8.05),
    ],
)
def test_recomputed_table(strategy: str, fill: str, profit: float, std: float, std_q: float) -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 200, "fill": fill}})
    market = config.market
    if strategy == "inventory":
        time_left = 1.0 - np.arange(200)[:, None] / 200
        quoter = table(reservation_quotes(market, time_left, np.arange(-REACH, REACH + 1)[None, :]))
    else:
        half = 0.25 * market.gamma * market.sigma**2 + math.log1p(market.gamma / market.k) / market.gamma
        quoter = fixed(half, half)
    batch = rollout(config, quoter, seed=2, epoch=0, count=4000, threads=1)
    assert batch.final_value.mean() == pytest.approx(profit, abs=4 * std / np.sqrt(4000))
    assert batch.final_value.std() == pytest.approx(std, rel=0.06)
    assert batch.final_inventory.std() == pytest.approx(std_q, rel=0.06)
