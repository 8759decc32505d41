"""Figures of merit by hand, on small batches made for the purpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mmrl.evaluate.compare import named_agent
from mmrl.evaluate.metrics import (
    UNRELIABLE,
    Summary,
    certainty_equivalent,
    figures,
    joined,
    moves_of,
    objective_value,
    summarise,
)
from mmrl.markets.avellaneda_stoikov import optimum
from mmrl.markets.contract import Objective, cara, spec_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.build import build
from mmrl.settings.sources import resolve
from tests.conftest import game_of


@pytest.fixture
def two_games(make_trajectories: Callable[..., Trajectories]) -> Trajectories:
    """Trajectory 0: buys at 99, both sides fill, then nothing; trajectory 1: a step of twice the length, sells at 101.

    The mid moves by itself after each step's fills.
    """
    cash = np.array([0.0, -99.0, -97.0, 0.0])
    inventory = np.array([0, 1, 1, 0], np.int32)
    mid = np.array([100.0, 102.0, 100.0, 100.0])
    return make_trajectories(
        [3, 1],
        time=np.array([0.0, 1.0, 2.0, 0.0]),
        inventory=inventory,
        mid=mid,
        bid=mid - 1,
        ask=mid + 1,
        cash=cash,
        bought=np.array([1, 1, 0, 0], np.int32),
        sold=np.array([0, 1, 0, 1], np.int32),
        paid=np.array([99.0, 101.0, 0.0, 0.0]),
        received=np.array([0.0, 103.0, 0.0, 101.0]),
        revaluation=np.array([2.0, -2.0, 1.0, -3.0]),
        final_time=np.array([3.0, 2.0]),
        final_value=np.array([-97 + 101.0, 101 - 103.0]),
        final_cash=np.array([-97.0, 101.0]),
        final_inventory=np.array([1, -1], np.int32),
        final_mid=np.array([101.0, 103.0]),
    ).validate()


def test_summary_by_hand(two_games: Trajectories) -> None:
    s = summarise(two_games)
    np.testing.assert_array_equal(s.value, [4, -2])
    np.testing.assert_array_equal(s.fills, [3, 1])
    np.testing.assert_array_equal(s.steps, [3, 1])
    np.testing.assert_array_equal(s.spread_sum, [6, 2])
    np.testing.assert_array_equal(s.inventory_abs_sum, [2, 0])
    np.testing.assert_array_equal(s.square_time_sum, [3, 2])
    np.testing.assert_array_equal(s.revaluation, [2 - 2 + 1, -3])
    np.testing.assert_array_equal(s.drawdown, [0, 2])  # 0, 3, 3, 4 and 0, -2


def test_the_cash_of_two_games_is_that_of_their_fills(two_games: Trajectories) -> None:
    """The case by hand agrees with itself: flows make up cash and inventory, distances and revaluation the value."""
    b = two_games
    np.testing.assert_array_equal(b.received - b.paid, b.after("cash") - b.cash)
    np.testing.assert_array_equal(b.bought - b.sold, b.after("inventory") - b.inventory)
    trading = b.received - b.sold * b.mid + b.bought * b.mid - b.paid
    np.testing.assert_array_equal(trading + b.revaluation, b.after("value") - b.value)


def test_figures_by_hand(two_games: Trajectories) -> None:
    row = figures(summarise(two_games), cara(0.5))
    assert row["value_mean"] == 1 and row["value_std"] == pytest.approx(np.sqrt(18))
    assert row["value_ci"] is None  # two games
    assert row["ce"] == pytest.approx(-np.log((np.exp(-2) + np.exp(1)) / 2) / 0.5)
    assert row["pnl_inventory"] == -1 and row["pnl_spread"] + row["pnl_inventory"] == row["value_mean"]
    assert (row["spread_mean"], row["inventory_abs_mean"], row["fills_mean"], row["cvar_01"]) == (2, 0.5, 2, -2)
    assert row["sharpe"] == pytest.approx(1 / np.sqrt(18)) and row["max_drawdown"] == 1
    penalty = objective_value(summarise(two_games), Objective(phi=0.2, alpha=0.25)).value
    assert penalty == pytest.approx(1 - 0.25 - 0.2 * (3 + 2) / 2)


def test_a_single_trajectory_has_no_deviation() -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 20}})
    row = figures(summarise(rollout(config, fixed(0.5, 0.5), 1, 0, count=1)), cara(0.1))
    assert row["value_ci"] is row["value_std"] is row["sharpe"] is row["ce_ci"] is None
    assert row["ce"] == pytest.approx(row["value_mean"])


def test_certainty_equivalent_of_a_normal_value() -> None:
    value = np.random.default_rng(0).normal(1000.0, 2.0, 200_000)
    found = certainty_equivalent(value, 0.3)
    ce, interval = found.value, found.interval
    assert interval is not None and interval[0] < 1000 - 0.3 * 4 / 2 < interval[1]
    assert interval[1] - interval[0] < 0.1
    assert certainty_equivalent(-1e6 * np.ones(3), 5.0).value == pytest.approx(-1e6)  # nothing overflows
    assert ce < 1000


def test_the_split_adds_up_on_both_markets_and_fills_are_counted() -> None:
    for name, action in (("book", (1, 0.3, 1, 0.3)), ("avellaneda-stoikov", (0.4, 0.6))):
        config = build({"market": {"name": name, "nt": 100}})
        batch = rollout(config, fixed(*action), 3, 0, count=30)
        s = summarise(batch)
        row = figures(s, cara(0.1))
        assert row["pnl_spread"] + row["pnl_inventory"] == pytest.approx(row["value_mean"], abs=1e-12)
        held = batch.after("inventory").astype(float)
        np.testing.assert_allclose(
            s.square_time_sum, batch.segment_sum(held**2) * spec_of(config).end_time / 100, rtol=1e-9
        )
        np.testing.assert_array_equal(s.fills, batch.segment_sum(batch.bought + batch.sold))
        np.testing.assert_allclose(s.revaluation, batch.segment_sum(batch.revaluation), rtol=1e-9, atol=1e-9)
        assert (s.fills >= np.abs(s.inventory)).all() and s.fills.max() > np.abs(s.inventory).max()
        if name != "book":  # every fill earns its distance: 0.4 a purchase, 0.6 a sale
            bought, sold = (s.fills + s.inventory) / 2, (s.fills - s.inventory) / 2
            np.testing.assert_allclose(s.value - s.revaluation, 0.4 * bought + 0.6 * sold, atol=1e-9)


@pytest.mark.parametrize("threads", [2, 3, 50])
def test_threads_change_nothing(threads: int) -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 30}})
    batch, moves = rollout(config, fixed(0.5, 0.6), 1, 0, count=37), moves_of(spec_of(config), cara(0.1))
    one, several = summarise(batch, moves), summarise(batch, moves, threads)
    for name in Summary.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name), err_msg=name)
    assert one.price.all() and one.fills.all() and (one.steps == 30).all()


def test_parts_join(two_games: Trajectories) -> None:
    s = summarise(two_games)
    twice = joined([s, s])
    assert twice.value.tolist() == [4, -2, 4, -2] and twice.fills.sum() == 8


@pytest.mark.parametrize("gamma", [0.1, 0.3])
def test_intervals_of_the_certainty_equivalent_cover_the_exact_value(gamma: float) -> None:
    config, _ = resolve(
        {"gamma": gamma, "nt": 50, "arrival": 40.0, "threads": 2, "start_inventory": 0}, None, "avellaneda-stoikov", {}
    )
    entrant = named_agent("glft", config)
    assert entrant.quotes is not None
    market = game_of(config)
    exact = optimum.value_of_quotes(market, cara(gamma), entrant.quotes)
    batch = summarise(rollout(config, entrant.quoter, 5, 0, count=400 * 500), moves_of(spec_of(config), cara(gamma)))
    covered, plain = 0, []
    for n in range(400):
        part = Summary(**{name: getattr(batch, name)[n * 500 : n * 500 + 500] for name in Summary.__dataclass_fields__})
        found = objective_value(part, cara(gamma))
        assert found.reliable and found.interval is not None
        covered += found.interval[0] <= exact <= found.interval[1]
        plain.append(certainty_equivalent(part.value, gamma).value)
    assert 0.92 <= covered / 400 <= 0.98
    assert np.mean(plain) == pytest.approx(exact, rel=0.1)  # the same quantity, with the noise of the mid left in


def test_a_certainty_equivalent_that_few_samples_decide_is_called_unreliable() -> None:
    config, _ = resolve({"gamma": 2.0, "threads": 2, "start_inventory": 0}, None, "avellaneda-stoikov", {})
    batch = rollout(config, named_agent("glft", config).quoter, 5, 0, count=500)
    row = figures(summarise(batch, moves_of(spec_of(config), cara(2.0))), cara(2.0))
    assert row["ce"] == UNRELIABLE and row["ce_ci"] is None and row["ce_effective_samples"] < 50
