"""Each option of the background against what its law implies, measured on tapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.markets.order_flow import state
from mmrl.markets.order_flow.hawkes import branching_ratio, stationary_rates
from mmrl.markets.order_flow.tape import LEVELS
from tests.markets.order_flow.stage import Stage, settings_of

LIMIT, DELETION, EXECUTION = 1, 3, 4


def tape_of(events: int, levels: int = 1, seed: int = 3, **market: Any) -> np.ndarray:
    stage = Stage(settings_of(levels=8, **market), seed, tape=2 * events, tape_levels=levels).reset()
    stage.run(events=events)
    return stage.tape()


def market_orders(tape: np.ndarray) -> np.ndarray:
    """Rows of the first execution of each market order: others have the same time."""
    rows = np.flatnonzero(tape[:, 1] == EXECUTION)
    return rows[np.diff(tape[rows, 0], prepend=-1.0) > 0]


def test_excited_market_orders_have_the_stationary_rate() -> None:
    """(I - K)^-1 mu: with 0.4 orders excited on the own side and 0.3 on the other, mu / (1 - 0.7) on each."""
    excited: dict[str, Any] = {"hawkes_decays": (2.0, 10.0), "hawkes_same": (0.3, 0.1), "hawkes_cross": (0.1, 0.2)}
    tape = tape_of(400_000, market_rates=(0.3,), **excited)
    rows, minutes = market_orders(tape), tape[-1, 0]
    for direction in (1, -1):
        count = (tape[rows, 5] == direction).sum()
        # the variance of counts of such a process is that of a Poisson process times (1 - 0.7)^-2, both sides together
        assert count / minutes == pytest.approx(1.0, abs=4 / 0.3 / np.sqrt(minutes))


def test_all_kinds_excited_have_the_stationary_rates() -> None:
    """lambda = mu + K lambda for limit and market orders, whose mu is known, and what the settings estimate of all."""
    same = np.array([[0.20, 0.10, 0.15], [0.05, 0.10, 0.02], [0.02, 0.05, 0.25]])
    cross = np.array([[0.05, 0.00, 0.05], [0.00, 0.10, 0.05], [0.03, 0.02, 0.10]])
    halves = [np.concatenate([share * same, share * cross], axis=1) for share in (0.25, 0.75)]
    excited: dict[str, Any] = {
        "hawkes_kinds": "all",
        "hawkes_decays": (2.0, 10.0),
        "hawkes_matrix": tuple(np.ravel(halves).tolist()),
    }
    tape = tape_of(600_000, market_rates=(0.6,), **excited)
    minutes = tape[-1, 0]
    counts = [(tape[:, 1] == LIMIT).sum(), (tape[:, 1] == DELETION).sum(), len(market_orders(tape))]
    rates = np.array(counts) / 2 / minutes
    settings = settings_of(levels=8, market_rates=(0.6,), **excited)
    mu = np.array([sum(settings.limit_rates) + sum(settings.far_rates), 0.0, 0.6])
    expected = mu + (same + cross) @ rates
    np.testing.assert_allclose(rates[[0, 2]], expected[[0, 2]], rtol=0.02)
    np.testing.assert_allclose(rates, stationary_rates(settings), rtol=0.02)
    assert rates[0] > 1.5 * mu[0] and rates[2] > 3 * mu[2]


def test_branching_ratio_and_stationary_rates_by_hand() -> None:
    """S + C = (0.5, 0.1; 0.2, 0.4) of limit and market orders: eigenvalues 0.6 and 0.3; (I - K)^-1 (5, 1)."""
    matrix = np.zeros((3, 6))
    matrix[0, 0], matrix[0, 5], matrix[2, 3], matrix[2, 2] = 0.5, 0.1, 0.2, 0.4
    settings = settings_of(
        limit_rates=(5.0,), cancel_rates=(1.0,), market_rates=(1.0,), levels=1, limit_scale=0.0,
        hawkes_kinds="all", hawkes_decays=(3.0,), hawkes_matrix=tuple(matrix.ravel().tolist()),
    )  # fmt: skip
    assert branching_ratio(settings) == pytest.approx(0.6)
    limit, market = np.array([0.6 * 5 + 0.1 * 1, 0.2 * 5 + 0.5 * 1]) / (0.5 * 0.6 - 0.1 * 0.2)
    assert stationary_rates(settings) == pytest.approx((limit, limit - market, market))


def test_excitation_clusters_market_orders() -> None:
    """Counts in long windows vary (1 - n)^-2 times as much as those of a Poisson process."""
    windows = {}
    excited: dict[str, Any] = {"hawkes_decays": (5.0,), "hawkes_same": (0.25,), "hawkes_cross": (0.25,)}
    for name, options in (("plain", {}), ("excited", excited)):
        tape = tape_of(500_000, market_rates=(0.5,), **options)
        times = tape[market_orders(tape), 0]
        counts = np.histogram(times, np.arange(0, times[-1], 20.0))[0]
        windows[name] = counts.var() / counts.mean()
    assert windows["plain"] == pytest.approx(1.0, rel=0.12)
    assert windows["excited"] == pytest.approx(4.0, rel=0.15)


def test_queue_reactive_rates_and_the_law_of_a_queue() -> None:
    """Rates of the queue at distance 1 by its size are those of the tables; pi(n) ~ prod lambda(j-1) / death(j)."""
    limit, cancel, market = (3.0, 2.0, 1.5, 1.0), (0.0, 0.3, 0.5, 0.6), (0.0, 0.5, 1.0, 1.6)
    tape = tape_of(
        600_000, queue_sizes=3, limit_rates=(*limit, *limit), cancel_rates=(*cancel, *cancel), market_rates=market
    )
    time, ask, bid, b = tape[:, 0], tape[:, LEVELS], tape[:, LEVELS + 2], tape[:, LEVELS + 3]
    n = np.where(bid == ask - 1, b, 0)[:-1]
    there = (tape[1:, 4] == ask[:-1] - 1) & (tape[1:, 5] == 1) & (ask[1:] == ask[:-1])
    births, deaths = [], []
    for j in range(6):
        spent, c = np.diff(time)[n == j].sum(), min(j, 3)
        found = [(there & (n == j) & (tape[1:, 1] == kind)).sum() / spent for kind in (LIMIT, 3, EXECUTION)]
        expected = [limit[c], j * cancel[c], market[c]]
        np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(max(expected) / spent))
        births.append(found[0])
        deaths.append(found[1] + found[2])
    law = np.cumprod([1.0, *(births[j - 1] / deaths[j] for j in range(1, 6))])
    rates = [1.0, *(limit[min(j - 1, 3)] / (j * cancel[min(j, 3)] + market[min(j, 3)]) for j in range(1, 6))]
    expected_law = np.cumprod(rates)
    np.testing.assert_allclose(law / law.sum(), expected_law / expected_law.sum(), atol=0.005)


def test_market_orders_follow_spread_and_queue() -> None:
    """ln mu = b0 + b1 ln S + b3 ln(1+q): the rate while the spread is S and the ask queue q."""
    b = (1.0, -0.7, 0.0, -0.5, 0.0, 0.0)
    tape = tape_of(600_000, market_law="spread-queue", market_intensity=b)
    ask, a, bid = tape[:-1, LEVELS], tape[:-1, LEVELS + 1], tape[:-1, LEVELS + 2]
    lasting = np.diff(tape[:, 0])
    bought = (tape[1:, 1] == EXECUTION) & (tape[1:, 5] == -1)
    for spread in (1, 2):
        for q in (1, 2, 4):
            here = (ask - bid == spread) & (a == q)
            rate = np.exp(b[0] + b[1] * np.log(spread) + b[3] * np.log1p(q))
            minutes = lasting[here].sum()
            assert bought[here].sum() / minutes == pytest.approx(rate, abs=4 * np.sqrt(rate / minutes)), (spread, q)


@pytest.mark.parametrize(
    ("law", "probabilities"),
    [
        ({"size_law": "geometric", "limit_size": 4.0, "market_size": 2.0}, [0.25 * 0.75**k for k in range(6)]),
        ({"size_law": "table", "limit_size_table": (1.0, 0.0, 3.0), "market_size_table": (1.0,)}, [0.25, 0.0, 0.75]),
        ({"limit_size": 3.0}, [0.0, 0.0, 1.0, 0.0]),
    ],
)
def test_sizes_have_their_law(law: dict[str, Any], probabilities: list[float]) -> None:
    tape = tape_of(100_000, **law)
    sizes = tape[tape[:, 1] == LIMIT, 3]
    for size, probability in enumerate(probabilities, 1):
        spread = 4 * np.sqrt(probability * (1 - probability) / len(sizes))
        assert (sizes == size).mean() == pytest.approx(probability, abs=spread), size


def efficient_path(minutes: int, **market: Any) -> tuple[np.ndarray, np.ndarray]:
    """Efficient price and mid after each minute, in ticks."""
    stage = Stage(settings_of(levels=8, **market), 5).reset()
    path = []
    for minute in range(minutes):
        stage.run(end=minute + 1.0)
        path.append((stage.meta[state.EFFICIENT] / 2, stage.meta[state.MID] / 2))
    return tuple(np.array(path).T)


def test_the_efficient_price_moves_as_told_and_the_mid_follows_it() -> None:
    price, mid = efficient_path(20_000, efficient_price="random-walk", efficient_volatility=2.0, informed=1.0)
    assert np.diff(price).std() == pytest.approx(2.0, rel=0.03)
    assert np.abs(price - mid).mean() < 8 and price.std() > 50  # far from it only for a while
    price, _ = efficient_path(
        40_000, efficient_price="ornstein-uhlenbeck", efficient_volatility=2.0, efficient_reversion=0.1
    )
    assert price.std() == pytest.approx(2.0 / np.sqrt(2 * 0.1), rel=0.06)
    assert np.corrcoef(price[:-10], price[10:])[0, 1] == pytest.approx(np.exp(-1), abs=0.06)


def test_where_all_orders_lean_the_mid_follows_sooner() -> None:
    """Queues of five times as many orders, which market orders alone hardly move."""
    deep = {"limit_rates": (9.0, 7.5, 5.5, 4.5, 4.0), "efficient_price": "random-walk", "efficient_volatility": 1.5}
    far = {}
    for orders in ("market", "all"):
        price, mid = efficient_path(3_000, informed=1.0, informed_orders=orders, **deep)
        far[orders] = np.abs(price - mid).mean()
    assert far["all"] < 3 < 3 * far["all"] < far["market"]


@pytest.mark.parametrize("orders", ["market", "all"])
def test_without_strength_it_is_the_plain_market(orders: str) -> None:
    blind = tape_of(20_000, efficient_price="random-walk", informed=0.0, informed_orders=orders)
    assert np.array_equal(tape_of(20_000), blind)
