"""Backward induction against full enumeration, brute force over a fine grid, and published values."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from mmrl.agents import agent, distances
from mmrl.markets.avellaneda_stoikov.optimum import optimality, optimum, value_of_quotes
from mmrl.markets.contract import Objective, RangeTooNarrow, cara
from mmrl.settings.build import build
from mmrl.settings.model import Config
from tests.conftest import game_of


def game(**market: Any) -> Config:
    return build({"market": {"name": "avellaneda-stoikov", "nt": 200, **market}})


def quotes(name: str, config: Config) -> np.ndarray:
    table = distances(agent(name, config), config)
    assert table is not None
    return table


def probability(market: Any, delta: float) -> float:
    rate = market.arrival * market.horizon / market.nt * math.exp(-market.k * delta)
    return 1 - math.exp(-rate) if market.fill == "poisson" else min(1.0, rate)


def enumerated(market: Any, objective: Objective, table: np.ndarray, limit: int) -> float:
    """Value of quotes by walking through every path of fills and mid prices."""
    dt = market.horizon / market.nt
    jump = market.sigma * math.sqrt(dt)
    reach = (table.shape[1] - 1) // 2
    paths: list[tuple[float, int, float, float]] = [(1.0, 0, 0.0, 0.0)]  # probability, inventory, V, penalty
    for t in range(market.nt):
        new = []
        for chance, q, value, penalty in paths:
            bid, ask = table[t, min(max(q, -reach), reach) + reach]
            up = probability(market, bid) if q < limit else 0.0
            down = probability(market, ask) if q > -limit else 0.0
            for b, a, move in itertools.product((0, 1), (0, 1), (jump, -jump)):
                p = (up if b else 1 - up) * (down if a else 1 - down) / 2
                held = q + b - a
                new.append((chance * p, held, value + b * bid + a * ask + held * move, penalty + held**2 * dt))
        paths = new
    score = [(p, v - objective.phi * c - objective.alpha * q**2) for p, q, v, c in paths]
    if objective.gamma == 0:
        return sum(p * v for p, v in score)
    return -math.log(sum(p * math.exp(-objective.gamma * v) for p, v in score)) / objective.gamma


@pytest.mark.parametrize("fill", ["linear", "poisson"])
@pytest.mark.parametrize("objective", [cara(0.7), Objective(phi=0.3, alpha=0.2)], ids=["cara", "penalty"])
def test_value_of_any_quotes_is_that_of_all_paths(fill: str, objective: Objective) -> None:
    market = game_of(game(nt=4, arrival=5.0, sigma=1.5, fill=fill))
    table = np.random.default_rng(3).uniform(-0.4, 1.5, (4, 5, 2))
    for limit in (2, 4):
        want = enumerated(market, objective, table, limit)
        assert value_of_quotes(market, objective, table, limit) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("fill", ["linear", "poisson"])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 2.0])
def test_best_quotes_beat_a_fine_grid_over_the_pair(fill: str, gamma: float) -> None:
    """One step from the end of nothing to the best pair, jointly: no pair of a fine grid is better, one is as good."""
    market = game_of(game(nt=2, arrival=6.0, sigma=3.0, fill=fill))
    objective = Objective(gamma=gamma, phi=0.5 if gamma == 0 else 0.0, alpha=0.1 if gamma == 0 else 0.0)
    solution = optimum(market, objective)
    assert solution.max_inventory == 2
    grid = np.sort(np.append(np.arange(-6.0, 6.0, 0.01), math.log(3.0) / 1.5))  # and where fills become certain
    chance = np.array([probability(market, d) for d in grid])
    b, a = np.meshgrid(grid, grid, indexing="ij")
    up, down = np.meshgrid(chance, chance, indexing="ij")
    jump, dt = market.sigma * math.sqrt(0.5), 0.5
    q0 = solution.max_inventory
    left = solution.theta[1] - objective.phi * dt * np.arange(-q0, q0 + 1) ** 2
    if gamma > 0:
        left = left - np.log(np.cosh(gamma * jump * np.arange(-q0, q0 + 1))) / gamma
    for q in (-1, 0, 1):
        here, more, less = left[q0 + q], left[q0 + q + 1], left[q0 + q - 1]
        outcomes = [
            ((1 - up) * (1 - down), here + 0 * a),
            (up * (1 - down), more + b),
            ((1 - up) * down, less + a),
            (up * down, here + a + b),
        ]
        if gamma > 0:
            values = -np.log(sum(p * np.exp(-gamma * v) for p, v in outcomes)) / gamma
        else:
            values = sum(p * v for p, v in outcomes)
        i, j = np.unravel_index(np.argmax(values), values.shape)
        best = solution.theta[0, q0 + q]
        assert values.max() <= best + 1e-12
        assert values.max() == pytest.approx(best, abs=1e-4)
        np.testing.assert_allclose(solution.delta[0, q0 + q], (grid[i], grid[j]), atol=0.011)


def test_the_two_sides_are_not_independent() -> None:
    """Where both fills are likely in one step the pair differs from two separate choices."""
    market = game_of(game(nt=2, arrival=6.0, sigma=3.0))
    solution = optimum(market, cara(0.5))
    q = solution.max_inventory
    jump = market.sigma * math.sqrt(0.5)
    left = solution.theta[1] - np.log(np.cosh(0.5 * jump * np.arange(-q, q + 1))) / 0.5
    cost = left[q] - left[q + 1]
    delta = np.arange(-0.5, 3.0, 0.001)
    chance = np.array([probability(market, d) for d in delta])
    alone = delta[np.argmax(chance * (1 - np.exp(-0.5 * (delta - cost))))]
    assert abs(alone - solution.delta[0, q, 0]) > 0.01


@pytest.mark.parametrize(
    ("fill", "best", "inventory", "symmetric", "delta"),
    [("linear", 65.25, 62.79, 40.48, 0.660), ("poisson", 57.37, 55.18, 41.54, 0.745)],
)
def test_published_game(fill: str, best: float, inventory: float, symmetric: float, delta: float) -> None:
    config = game(fill=fill)
    objective = cara(0.1)
    solution = optimum(game_of(config), objective)
    assert solution.value == pytest.approx(best, abs=0.005)
    assert optimum(game_of(config), objective, 40).value == pytest.approx(solution.value, abs=1e-6)
    np.testing.assert_allclose(
        solution.delta[0, solution.max_inventory], delta, atol=0.0026
    )  # theirs is a grid of 0.005
    for name, want in (("avellaneda-stoikov", inventory), ("symmetric", symmetric)):
        table = quotes(name, config)
        assert value_of_quotes(game_of(config), objective, table) == pytest.approx(want, abs=0.005)
    assert optimality(game_of(config), objective, solution.delta) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("gamma", [1e-7, 0.01, 1.0, 20.0])
def test_the_optimum_is_above_every_agent_for_any_risk_aversion(gamma: float) -> None:
    config = game(gamma=gamma, nt=100)
    objective = cara(gamma)
    best = optimum(game_of(config), objective).value
    assert math.isfinite(best) and best > 0
    for name in ("avellaneda-stoikov", "glft", "cartea-jaimungal", "symmetric"):
        assert value_of_quotes(game_of(config), objective, quotes(name, config)) < best + 1e-9


def test_small_risk_aversion_is_the_mean() -> None:
    market = game_of(game(nt=50))
    assert optimum(market, cara(1e-9)).value == pytest.approx(optimum(market, Objective()).value, rel=1e-6)


def test_discrete_penalty_game_approaches_the_continuous_one() -> None:
    """h(0, 0) = 68.255835 for phi = 0.01, alpha = 0.001: the gap shrinks with the step."""
    objective = Objective(phi=0.01, alpha=0.001)
    gaps = [68.255835 - optimum(game_of(game(nt=nt)), objective, 60).value for nt in (1000, 2000)]
    assert 0 < gaps[1] < gaps[0] < 0.04 * 68.255835
    assert gaps[1] == pytest.approx(gaps[0] / 2, rel=0.1)


def test_refusals() -> None:
    market = game_of(game())
    with pytest.raises(RangeTooNarrow, match=r"Q = 3 is too small: the optimum is \d+\.\d+ with \|q\| <= 3"):
        optimum(market, cara(0.1), 3)
    with pytest.raises(RangeTooNarrow, match="Q = 0"):
        optimum(market, cara(0.1), 0)
    with pytest.raises(ValueError, match=r"gamma = -1\.0 is not allowed"):
        cara(-1.0)
    with pytest.raises(ValueError, match="gamma = 0 "):
        cara(0)
    with pytest.raises(ValueError, match=r"must be \[200, 2 Q \+ 1, 2\], not \[3, 3, 2\]"):
        value_of_quotes(market, cara(0.1), np.zeros((3, 3, 2)))
    with pytest.raises(ValueError, match="NaN"):
        value_of_quotes(market, cara(0.1), np.full((200, 1, 2), np.nan))


def test_absurd_quotes_have_finite_values() -> None:
    market = game_of(game(nt=50))
    for distance in (-5.0, 50.0, np.inf):
        value = value_of_quotes(market, cara(5.0), np.full((50, 1, 2), distance))
        assert math.isfinite(value) and value <= 1e-9
