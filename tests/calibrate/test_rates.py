"""Rates by distance and queue: by hand, the paper's power law, and the market `order-flow` whose rates are known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate.intensity import fit_intensity
from mmrl.calibrate.rates import least_squares_power, queue_reactive, rates
from mmrl.calibrate.replay import behind_the_best
from mmrl.calibrate.sizes import order_sizes
from mmrl.data.events import ASK, BID, CANCEL, LIMIT, TRADE, Events
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import Recovered, events_of, order_flow

LIMIT_RATES = (1.85, 1.51, 1.09, 0.88, 0.77)
CANCEL_RATES = (0.71, 0.81, 0.68, 0.56, 0.47)
MARKET_RATE = 0.94

# bids of 2 at 100 and 4 at 99, an ask of 2 at 102; all sizes are 2, which is the unit
BY_HAND = [
    (0, LIMIT, BID, 99, 2, 100, 2, 102, 2),
    (60, LIMIT, BID, 99, 2, 100, 2, 102, 2),  # distance 3
    (120, LIMIT, BID, 101, 2, 100, 2, 102, 2),  # distance 1, inside the spread
    (180, TRADE, BID, 101, 2, 101, 2, 102, 2),
    (240, CANCEL, BID, 99, 2, 100, 2, 102, 2),  # distance 3
    (300, CANCEL, BID, 100, 2, 100, 2, 102, 2),  # distance 2
    (420, LIMIT, BID, 99, 2, 99, 2, 102, 2),  # distance 3, the best
]


def values(found: tuple) -> list[float]:
    return [estimate.value for estimate in found]


def test_level_one_by_hand() -> None:
    """Per minute of 7, spread 2 in minutes 1, 2, 4, 5, spread 1 in minute 3, spread 3 in minutes 6 and 7."""
    found = rates(events_of(BY_HAND), distances=4, side=BID, deep=False)
    assert found.unit == 2
    assert found.observed == (7, 6, 2, 0)
    # of the four limit orders after the first row, one is beyond the best: nobody can say when it could be seen
    assert values(found.limit)[:3] == pytest.approx([1 / 7, 0, 1 / 2])
    assert math.isnan(found.limit[3].value)
    # unit-minutes at the best: distance 1 for 1, distance 2 for 4, distance 3 for 2; cancelled is 1 unit at distance 2
    assert values(found.cancel)[:3] == pytest.approx([0, 1 / 4, 0])
    assert values(found.queue)[:3] == pytest.approx([1 / 7, 4 / 6, 1])
    assert found.market.value == found.market_units.value == pytest.approx(1 / 7)
    assert found.beyond == 2


def test_a_deep_book_by_hand() -> None:
    """The one unit at 99 that is cancelled without another id is one that came; the order at 100 stood there before."""
    found = rates(events_of(BY_HAND), distances=4, side=BID, deep=True)
    assert found.observed == (7, 7, 7, 7)
    assert values(found.limit) == pytest.approx([1 / 7, 0, 2 / 7, 0])
    # at 99, distance 3 from 102: one unit in minute 1, two in 2, 3 and 4, one in 5, 6 and 7
    assert values(found.queue) == pytest.approx([1 / 7, 5 / 7, 10 / 7, 0])
    assert values(found.cancel)[:3] == pytest.approx([0, 1 / 5, 1 / 10])
    # the ask never comes in any row, so the first row of the table has what the orders do not add up to
    assert found.disagreements == pytest.approx(1 / 12)


def test_queues_by_hand() -> None:
    found = queue_reactive(events_of(BY_HAND), distances=3, longest=2, side=BID, deep=True)
    assert found.observed[2] == (0, 4, 3)
    # at distance 3 one order came to a queue of one, another too; one was cancelled from a queue of two
    assert values(found.limit[2])[1:] == pytest.approx([2 / 4, 0])
    assert values(found.cancel[2])[1:] == pytest.approx([0, 1 / 6])
    assert values(found.market)[1] == pytest.approx(1 / 7)
    assert found.limit[0][0].value == pytest.approx(1 / 6), "into an empty level inside the spread"


def test_the_power_law_of_the_paper() -> None:
    """k = 1.92, alpha = 0.52 of Cont, Stoikov & Talreja (2010), table 1, from its rounded rates."""
    k, alpha = least_squares_power(np.arange(1.0, 6), np.array(LIMIT_RATES))
    assert k == pytest.approx(1.92, abs=0.01)
    assert alpha == pytest.approx(0.52, abs=0.005)
    i = np.array([1.0, 2, 4, 7])
    assert list(least_squares_power(i, 3.5 / i**1.25)) == pytest.approx([3.5, 1.25])


@pytest.mark.slow
def test_the_rates_of_order_flow_are_recovered_from_level_one() -> None:
    """20 tapes of some 30 hours each. Distance 5 is rarely the best, so its cancellations are left out."""
    recovered = Recovered()
    for seed in range(20):
        events, _ = order_flow(seed, 30_000)
        events = level_one(events)
        assert behind_the_best(events) == 0
        found = rates(events, distances=5)
        assert not found.deep
        recovered.add_all("lambda", found.limit[:4], LIMIT_RATES[:4])
        recovered.add_all("theta", found.cancel[:3], CANCEL_RATES[:3])
        recovered.add("mu", found.market, MARKET_RATE)
        assert 0.8 < found.fit.value < 1.25, "market orders are a Poisson process"
    recovered.check()


@pytest.mark.slow
def test_the_rates_of_order_flow_are_recovered_from_all_orders() -> None:
    recovered = Recovered()
    for seed in range(20):
        events, _ = order_flow(100 + seed, 30_000)
        found = rates(events, distances=8)
        assert found.deep
        assert found.disagreements < 0.002
        far = tuple(1.92 / i**0.52 for i in (6, 7, 8))
        recovered.add_all("lambda", found.limit, (*LIMIT_RATES, *far))
        recovered.add_all("theta", found.cancel[:5], CANCEL_RATES)
        recovered.add("mu", found.market, MARKET_RATE)
        assert found.power_law is not None
        k, alpha = least_squares_power(np.arange(1.0, 9), np.array((*LIMIT_RATES, *far)))
        recovered.add("k", found.power_law.k, k)
        recovered.add("alpha", found.power_law.alpha, alpha)
    recovered.check()


def level_one(events: Events) -> Events:
    """What a file of level 1 has: no order behind the best price."""
    best = np.where(events.side == BID, events.bid_price, events.ask_price)
    seen = events.side * (best - events.price) <= 0
    columns: dict[str, Any] = {
        name: value[seen] for name, value in vars(events).items() if isinstance(value, np.ndarray)
    }
    return replace(events, **columns)


@pytest.mark.slow
def test_rates_by_queue_of_order_flow_are_recovered() -> None:
    """Rates by queue: columns 0, 1, 2 and more units at distances 1 and 2."""
    limit = ((1.9, 1.2, 0.8), (1.6, 1.1, 0.9))
    cancel = ((0.0, 0.9, 0.6), (0.0, 0.7, 0.5))
    market = (0.0, 1.1, 0.7)
    recovered = Recovered()
    for seed in range(20):
        events, _ = order_flow(
            200 + seed,
            30_000,
            queue_sizes=2,
            limit_rates=limit[0] + limit[1],
            cancel_rates=cancel[0] + cancel[1],
            market_rates=market,
        )
        found = queue_reactive(events, distances=2, longest=2)
        for i in range(2):
            recovered.add_all(f"lambda_{i + 1}", found.limit[i], limit[i])
            recovered.add_all(f"theta_{i + 1}", found.cancel[i][1:], cancel[i][1:])
        recovered.add_all("mu", found.market[1:], market[1:])
    recovered.check()


@pytest.mark.slow
def test_the_spread_queue_law_of_order_flow_is_recovered() -> None:
    truth = (0.6, -0.5, 0.1, -0.4, 0.1, 0.15)
    recovered = Recovered()
    for seed in range(20):
        events, _ = order_flow(300 + seed, 40_000, market_law="spread-queue", market_intensity=truth)
        found = fit_intensity(events, ASK if seed % 2 else BID, queue_unit=1)
        per_minute = (truth[0] - math.log(60), *truth[1:])
        recovered.add_all("b", found.coefficients, per_minute)
    recovered.check()


@pytest.mark.slow
def test_mean_sizes_and_their_laws_are_recovered() -> None:
    """Geometric sizes: limit orders of mean 5."""
    recovered = Recovered()
    for seed in range(20):
        events, _ = order_flow(400 + seed, 30_000, size_law="geometric", limit_size=5.0, market_size=3.0)
        found = order_sizes(events)
        recovered.add("limit size", found.limit.mean, 5.0)
        assert found.limit.fit.value < 1.63 / math.sqrt(found.limit.count)
        recovered.add("mu", rates(events, distances=5).market, MARKET_RATE)
    recovered.check()


def test_refusals() -> None:
    only_trades = events_of([(t, TRADE, BID, 100, 1, 100, 5, 101, 5) for t in range(9)])
    with pytest.raises(ConfigError, match="no limit orders"):
        rates(only_trades)
    with pytest.raises(ConfigError, match="distances = 0: allowed are 1 to 10000"):
        rates(events_of(BY_HAND), distances=0)
    jump = [(0, LIMIT, BID, 1, 1, 1, 1, 2, 1), (1, LIMIT, BID, 1, 1, 1, 1, 30_000_000, 1)]
    with pytest.raises(ConfigError, match="at most 20000000 are kept"):
        rates(events_of(jump))
