"""The game of Avellaneda & Stoikov against the recomputed table of their paper."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from mmrl.agents import avellaneda_stoikov
from mmrl.agents.inputs import inputs
from mmrl.agents.learned import actions
from mmrl.kernels.random import next_word, seed_stream
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import make_policy
from mmrl.markets.avellaneda_stoikov import optimum
from mmrl.markets.avellaneda_stoikov.dynamics import filled, parameters
from mmrl.markets.contract import cara, spec_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.engines import make_engine
from mmrl.rollout.quoters import fixed, table
from mmrl.rollout.tensor import TensorEngine
from mmrl.settings.build import build
from tests.conftest import game_of

MOST = 40


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
    market = game_of(config)
    if strategy == "inventory":
        quoter = table(avellaneda_stoikov.quotes(inputs(config), MOST))
    else:
        half = 0.25 * market.gamma * market.sigma**2 + math.log1p(market.gamma / market.k) / market.gamma
        quoter = fixed(half, half)
    batch = rollout(config, quoter, seed=2, epoch=0, count=4000, threads=1)
    assert batch.final_value.mean() == pytest.approx(profit, abs=4 * std / np.sqrt(4000))
    assert batch.final_value.std() == pytest.approx(std, rel=0.06)
    assert batch.final_inventory.std() == pytest.approx(std_q, rel=0.06)


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
def test_every_other_trajectory_starts_with_shares(engine: str) -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 3, "start_inventory": 2}})
    quoter = fixed(50.0, 50.0)  # too far away to be hit
    if engine == "compiled":
        batch = rollout(config, quoter, 1, 0, count=14)
    else:
        batch = TensorEngine(config).rollout(quoter, None, 1, 0, 14).numpy()
    want = [0, -2, 0, -1, 0, 0, 0, 1, 0, 2, 0, -2, 0, -1]
    np.testing.assert_array_equal(batch.final_inventory, want)
    np.testing.assert_array_equal(batch.value[batch.offsets[:-1]], np.zeros(14))  # shares held are paid for


@njit
def words(seed: int, epoch: int, number: int, count: int) -> np.ndarray:
    state, out = np.empty(4, np.uint64), np.empty(count, np.uint64)
    seed_stream(state, seed, epoch, number)
    for k in range(count):
        out[k] = next_word(state)
    return out


def test_the_mid_goes_up_where_the_first_bit_of_a_steps_third_word_is_set() -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 50}})
    batch = rollout(config, fixed(50.0, 50.0), 5, 7, count=1)  # a step draws a number for each side, then the coin
    up = words(5, 7, 0, 150)[2::3] >> np.uint64(63) == 1
    jump = parameters(game_of(config)).jump
    assert 10 < up.sum() < 40
    np.testing.assert_array_equal(np.diff([*batch.mid, batch.final_mid[0]]) > 0, up)
    np.testing.assert_allclose(np.abs(np.diff([*batch.mid, batch.final_mid[0]])), jump, rtol=1e-9)


@pytest.mark.parametrize("skew", ["risk", "cara"])
@pytest.mark.parametrize("engine", ["compiled", "tensor"])
def test_skewed_quotes_lean_by_the_formula(engine: str, skew: str) -> None:
    config = build(
        {
            "market": {
                "name": "avellaneda-stoikov", "nt": 30, "start_inventory": 5, "skew": skew, "delta_centre": 1.05,
                "horizon": 0.5,
            },
            "policy": {"layers": 1, "layer_size": 4},
            "run": {"engine": engine, "threads": 1},
        }
    )  # fmt: skip
    slope = np.full(30, math.sqrt(math.e * 0.1 * 4 / (2 * 1.5 * 140)))
    if skew == "cara":  # s' = gamma sigma^2 (1 - (s / S)^2) backwards from 0 at the end, in small steps
        far, s, slope = math.sqrt(0.1 * 4 / (2 * 1.5 * 140) * (1 + 0.1 / 1.5) ** (1 + 1.5 / 0.1)), 0.0, slope.copy()
        for t in range(29, -1, -1):
            for _ in range(200):
                s += 0.1 * 4 * (1 - (s / far) ** 2) * 0.5 / 30 / 200
            slope[t] = s
        assert slope[0] > 0.95 * far > 5 * slope[29]
    policy, seen = make_policy(config), RunningNormaliser(2)
    batch = make_engine(config).rollout(policy, seen, seed=1, epoch=0, count=20).numpy()
    assert np.abs(batch.inventory).max() >= 5
    unit, lean = 0.45 / 1.5 * batch.action, slope[batch.step] * batch.inventory  # 1.05 / k = 0.7
    np.testing.assert_allclose(batch.mid - batch.bid, 0.7 + unit[:, 0] + lean, atol=2e-3 if skew == "cara" else 1e-5)
    np.testing.assert_allclose(batch.ask - batch.mid, 0.7 + unit[:, 1] - lean, atol=2e-3 if skew == "cara" else 1e-5)
    means = replace(policy.weights(seen), log_std=np.full(2, -30.0, np.float32))
    held, left = batch.inventory, 1.0 - batch.step / 30
    for row in (0, 17, 29):  # tables of quotes lean alike
        want = actions(config, means, held[row : row + 1], left[row : row + 1])[0, 0]
        centre = means.forward(means.normalise(np.array([[held[row], left[row]]], np.float32)))[0]
        want -= 0.7 + 0.45 / 1.5 * centre
        np.testing.assert_allclose(want, [lean[row], -lean[row]], atol=2e-3)


@pytest.mark.parametrize("market", [{}, {"arrival": 5.0}, {"horizon": 0.2}, {"gamma": 1.0, "sigma": 1.0}])
def test_the_skew_of_cara_is_that_of_the_exact_optimum(market: dict[str, float]) -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 200, "skew": "cara", **market}})
    solution = optimum.optimum(game_of(config), cara(config.market.gamma))
    spec, q = spec_of(config), solution.max_inventory
    for step in (0, 100, 160):
        exact = (solution.delta[step, q + 1, 0] - solution.delta[step, q - 1, 0]) / 2
        formula = spec.axes[0].skew * math.tanh((1 - step / 200) / spec.fading)
        assert formula == pytest.approx(exact, rel=0.12)


@pytest.mark.parametrize("poisson", [0, 1])
def test_a_quote_is_filled_where_the_number_drawn_lies_below_its_probability(poisson: int) -> None:
    """The bounds that spare most exponentials decide nothing else."""
    p = parameters(game_of(build({"market": {"name": "avellaneda-stoikov"}})))._replace(poisson=poisson)
    near = np.linspace(-3e-16, 3e-16, 7)
    for delta in (-60.0, -3.0, -0.2, 0.0, 0.3, 1.0, 5.0, 80.0):
        rate = p.rate * math.exp(min(-p.k * delta, 50.0))
        wanted = 1.0 - math.exp(-rate) if poisson else min(1.0, rate)
        # where the lower bound of -ln(1 - u) is the rate, and where the upper one is, found by halving
        low, high = 0.0, 1.0 - 1e-12
        for _ in range(60):
            u = 0.5 * (low + high)
            low, high = (low, u) if u + 0.5 * u * u + u**3 / (3.0 * (1.0 - u)) > rate else (u, high)
        edges = [wanted, min(rate, 1.0), math.sqrt(1.0 + 2.0 * rate) - 1.0, low]
        for u in [*np.linspace(0.0, 0.999999, 4001), *(e * (1 + 1e-9 * k) for e in edges for k in (-1, 1)), *near]:
            if 0.0 <= u < 1.0 and abs(u - wanted) > 1e-15:
                assert filled(p, delta, u) == (u < wanted), (delta, u)
