"""The account of every step adds up, in both engines and markets, whichever way an episode ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmrl.rollout import compiled
from mmrl.rollout.quoters import Quoter, fixed
from mmrl.rollout.tensor import TensorEngine
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.build import build
from mmrl.settings.model import Config
from tests.conftest import book_of, game_of

GAME = "avellaneda-stoikov"
SMALL = {"book_size": 60, "seed_spread": 1.0, "midprice": 200.0, "nt": 40, "dt": 0.5}
SHORT = {**SMALL, "book_size": 40, "market_order": "walk", "intensity": (5.0, -2.13, -0.8, -2.3, 0.167, -0.1)}
LINEAGE = {
    "owner": "maker", "crossed": "dropped", "market_order": "walk", "exhausted": "refilled",
    "emptying_step": "discarded", "rounding": "nearest",
}  # fmt: skip
MARKETS: dict[str, tuple[dict[str, Any], Quoter]] = {
    "book": ({"nt": 40, "dt": 2.0}, fixed(3, 0.3, 3, 0.4)),
    "short lives": (SHORT, fixed(3, 0.3, 3, 0.3)),
    "at the mid": ({**SMALL, "volatility": 0.05}, fixed(3, 0.0, 3, 0.0)),
    "lineage": ({**SMALL, **LINEAGE, "book_size": 2000, "seed_spread": 4.0}, fixed(2, 0.2, 2, 0.2)),
    "uniform": ({**SMALL, "uniform": True}, fixed(3, 0.3, 3, 0.3)),
    "game": ({"name": GAME, "nt": 40, "horizon": 2.0}, fixed(0.2, 0.4)),
    "game with shares": ({"name": GAME, "nt": 40, "start_inventory": 3, "fill": "linear"}, fixed(0.9, 1.1)),
}


def roll(engine: str, config: Config, quoter: Quoter, count: int = 60) -> Trajectories:
    if engine == "tensor":
        return TensorEngine(config).rollout(quoter, None, 3, 0, count).validate().numpy()
    return compiled.rollout(config, quoter, 3, 0, count=count, threads=1).validate()


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
@pytest.mark.parametrize("name", MARKETS)
def test_flows_make_up_what_stands(engine: str, name: str) -> None:
    market, quoter = MARKETS[name]
    config = build({"market": market})
    b = roll(engine, config, quoter)
    dt = game_of(config).dt if config.market.name == GAME else book_of(config).dt
    np.testing.assert_array_equal(b.bought - b.sold, b.after("inventory") - b.inventory)
    np.testing.assert_allclose(b.received - b.paid, b.after("cash") - b.cash, rtol=1e-9, atol=1e-7)
    assert (b.bought >= 0).all() and (b.sold >= 0).all() and (b.paid >= 0).all() and (b.received >= 0).all()
    np.testing.assert_array_equal(b.paid > 0, b.bought > 0)
    np.testing.assert_array_equal(b.received > 0, b.sold > 0)
    np.testing.assert_allclose(b.value, b.cash + b.inventory * b.mid, rtol=1e-12, atol=1e-7)
    np.testing.assert_allclose(b.final_value, b.final_cash + b.final_inventory * b.final_mid, rtol=1e-12, atol=1e-7)
    # the change of value is what trades have earned against the mid, at once or after its move, and the revaluation
    moved = b.after("mid") - b.mid
    before_move = b.received - b.paid + (b.bought - b.sold) * b.mid
    late = b.after("value") - b.value - b.revaluation - before_move  # shares that change hands after the move
    whole = np.maximum(b.bought, b.sold) * np.abs(moved)
    own_end = np.ones(b.nnz, bool)
    if name == "lineage":  # the mid of the end is that of the step that is discarded
        own_end[b.offsets[1:][b.terminated & (b.lengths > 0)] - 1] = False
    assert (np.abs(late) <= whole + 1e-6)[own_end].all()
    np.testing.assert_allclose(b.time, b.step * dt, rtol=1e-12)
    np.testing.assert_allclose(b.final_time, b.lengths * dt, rtol=1e-12)
    assert b.bought.any() and b.sold.any() and b.revaluation.any()
    if name in ("short lives", "at the mid", "lineage"):
        assert np.mean(b.terminated) > 0 and b.lengths.min() < config.market.nt
    else:
        assert (b.lengths == config.market.nt).all()


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
def test_the_game_pays_its_quotes(engine: str) -> None:
    market, quoter = MARKETS["game with shares"]
    b = roll(engine, build({"market": market}), quoter)
    assert set(np.unique(b.bought)) == set(np.unique(b.sold)) == {0, 1}
    np.testing.assert_allclose(b.paid, b.bought * b.bid, rtol=1e-12)
    np.testing.assert_allclose(b.received, b.sold * b.ask, rtol=1e-12)
    np.testing.assert_allclose(b.mid - b.bid, 0.9, atol=1e-9)
    np.testing.assert_allclose(b.ask - b.mid, 1.1, atol=1e-9)
    np.testing.assert_allclose(b.revaluation, b.after("inventory") * (b.after("mid") - b.mid), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
def test_certain_purchases_by_hand(engine: str) -> None:
    """Linear fills so near that every bid is hit, asks out of reach: one share a step at the mid plus 5."""
    config = build({"market": {"name": GAME, "nt": 4, "horizon": 1.0, "sigma": 3.0, "fill": "linear"}})
    b = roll(engine, config, fixed(-5.0, 90.0), 6)
    jump = 3.0 * math.sqrt(0.25)
    np.testing.assert_array_equal(b.bought, np.ones(24))
    np.testing.assert_array_equal(b.sold, np.zeros(24))
    np.testing.assert_array_equal(b.received, np.zeros(24))
    np.testing.assert_allclose(b.paid, b.mid + 5)
    np.testing.assert_array_equal(b.inventory, np.tile(np.arange(4), 6))
    np.testing.assert_allclose(np.abs(b.revaluation), np.tile([1, 2, 3, 4], 6) * jump)
    np.testing.assert_array_equal(np.sign(b.revaluation), np.sign(b.after("mid") - b.mid))
    np.testing.assert_allclose(b.final_cash, -b.segment_sum(b.paid))
    np.testing.assert_allclose(b.final_time, 1.0)
