"""Every term of the reward, written down once more from wealth, inventory and mid price, for both engines."""

import math
from typing import Any

import numpy as np
import pytest

from mmrl.rollout import compiled
from mmrl.rollout.quoters import fixed
from mmrl.rollout.tensor import TensorEngine
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.build import build
from mmrl.settings.model import Config

NT, DT = 12, 0.5
FLOOD = (15.0, 0.0, 0.0, 0.0, 0.0, 0.0)  # 3 million shares a step: every side is emptied
BOOK: dict[str, Any] = {"nt": NT, "dt": DT, "book_size": 40, "seed_spread": 1.0, "midprice": 200.0}
BOOK |= {"market_order": "walk", "intensity": (5.0, -2.13, -0.8, -2.3, 0.167, -0.1)}  # some trajectories end early
GAME = {
    "name": "avellaneda-stoikov",
    "nt": NT,
    "horizon": NT * DT,
    "midprice": 50.0,
    "arrival": 1.5,
}


def roll(engine: str, config: Config, count: int = 40) -> Trajectories:
    quoter = fixed(3, 0.3, 3, 0.3) if config.market.name == "book" else fixed(0.6, 0.6)
    if engine == "tensor":
        return TensorEngine(config).rollout(quoter, None, 3, 0, count).validate().numpy()
    return compiled.rollout(config, quoter, 3, 0, count=count, threads=1).validate()


def by_hand(batch: Trajectories, terms: dict[str, Any], midprice: float) -> np.ndarray:
    """Rewards [nnz], step by step: wealth, pnl, signs of the inventory change, time, penalty and the end."""
    out, total = [], NT * DT
    for n in range(batch.count):
        rows = slice(batch.offsets[n], batch.offsets[n + 1])
        wealth = [*batch.cash[rows], batch.final_cash[n]]
        inventory = [*batch.inventory[rows].tolist(), int(batch.final_inventory[n])]
        mid = [*batch.mid[rows], batch.final_mid[n]]
        length = len(wealth) - 1
        for k in range(length):
            t, r = k * DT, 0.0
            if terms.get("immediate", "wealth") == "wealth":
                r += (wealth[k + 1] - wealth[k]) / (midprice * 500.0)
            if terms.get("immediate") == "pnl":
                r += wealth[k + 1] + inventory[k + 1] * mid[k + 1] - wealth[k] - inventory[k] * mid[k]
            if terms.get("immediate") != "none":
                change = inventory[k + 1] - inventory[k]
                if terms.get("add_inventory"):
                    r += math.exp(-10 / total * (total - t)) * ((change > 0) - (change < 0))
                if terms.get("add_time"):
                    r += t / total
            r -= terms.get("inventory_penalty", 0.0) * inventory[k + 1] ** 2 * DT
            if k == length - 1 and (length == NT or terms.get("always_final")):
                value = wealth[-1] + inventory[-1] * mid[-1]
                if terms.get("final", "value") == "value":
                    r += value
                if terms.get("final") == "cara":
                    r += terms["cara_alpha"] - math.exp(-terms["risk_aversion"] * value)
            out.append(r)
    return np.array(out)


TERMS: dict[str, dict[str, Any]] = {
    "wealth": {"final": "none"},
    "pnl": {"immediate": "pnl", "final": "none"},
    "inventory bonus": {"add_inventory": True, "final": "none"},
    "time bonus": {"add_time": True, "final": "none"},
    "both bonuses": {"add_time": True, "add_inventory": True, "immediate": "pnl", "final": "none"},
    "penalty": {"inventory_penalty": 0.7, "final": "none"},
    "value": {},
    "value always": {"always_final": True},
    "cara": {"final": "cara", "risk_aversion": 0.05, "cara_alpha": 2.5},
    "cara always": {"final": "cara", "risk_aversion": 0.05, "cara_alpha": 2.5, "always_final": True},
    "no immediate": {"immediate": "none", "add_time": True, "add_inventory": True},
    "no immediate, penalty": {"immediate": "none", "add_time": True, "inventory_penalty": 0.2, "final": "none"},
}


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
@pytest.mark.parametrize("market", [BOOK, GAME], ids=["book", "game"])
def test_rewards_by_hand(engine: str, market: dict[str, Any]) -> None:
    for name, terms in TERMS.items():
        config = build({"market": market, "reward": {"max_dw": 500.0, **terms}})
        batch = roll(engine, config)
        midprice = 200.0 if market is BOOK else 50.0
        np.testing.assert_allclose(batch.reward, by_hand(batch, terms, midprice), rtol=1e-9, atol=1e-9, err_msg=name)
        assert np.any(np.diff(batch.final_inventory) != 0) and batch.reward.any()
    if market is BOOK:  # both ways to end are among them
        assert 0 < np.mean(batch.lengths < NT) < 1


def test_bonuses_by_number() -> None:
    """One buy at the first of two steps: exp(-10) for it, nothing then; time pays 0 and 1/2."""
    market = {"nt": 2, "dt": 3.0, "seed_spread": 1.0, "intensity": (-200.0, 0.0, 0.0, 0.0, 0.0, 0.0), "book_size": 400}
    down = {**market, "drift": -0.1, "volatility": 0.0}  # a bid at the mid is crossed within the step
    for reward, want in (
        ({"add_inventory": True}, [math.exp(-10), math.exp(-5)]),
        ({"add_time": True}, [0.0, 0.5]),
    ):
        config = build({"market": down, "reward": {**reward, "final": "none", "immediate": "wealth"}})
        batch = compiled.rollout(config, fixed(1, 0.05, 0, 0), 1, 0, count=1, threads=1)
        assert batch.inventory.tolist() == [0, 1] and batch.final_inventory.tolist() == [2]
        wealth = np.diff([0.0, batch.cash[1], batch.final_cash[0]]) / (533 * 3000)
        np.testing.assert_allclose(batch.reward - wealth, want, atol=1e-12)


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
def test_a_side_that_empties_in_the_last_step_is_no_early_end(engine: str) -> None:
    for nt, paid in ((1, True), (2, False)):
        market = {**BOOK, "nt": nt, "intensity": FLOOD, "market_order": "walk", "owner": "maker"}
        batch = roll(engine, build({"market": market, "reward": {"immediate": "none"}}), 5)
        assert batch.lengths.tolist() == [1] * 5 and batch.terminated.all() and np.all(batch.final_value != 0)
        np.testing.assert_allclose(batch.reward, batch.final_value if paid else 0.0)
