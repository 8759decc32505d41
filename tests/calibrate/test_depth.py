"""The depth profile: counted by hand, and a known decay recovered."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmrl.calibrate.depth import depth_profile, reaches
from mmrl.data.events import ASK, BID, LIMIT, NO_ORDER, TRADE, Events
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import OPEN_NS, Recovered, events_of

ROW = (100, 5, 102, 5)  # mid 101


def test_fills_by_hand() -> None:
    """In 100 s, buys reach 1, 2 and 4 ticks from the mid and sells 1: fills at 1: 4, at 2: 2, at 3 and 4: 1."""
    events = events_of([
        (0, LIMIT, BID, 100, 5, *ROW),
        (10, TRADE, ASK, 102, 1, *ROW),
        (20, TRADE, ASK, 102, 5, *ROW),
        (20, TRADE, ASK, 103, 1, 100, 5, 103, 5),
        (30, TRADE, ASK, 102, 5, *ROW),
        (30, TRADE, ASK, 105, 1, 100, 5, 105, 5),
        (40, TRADE, BID, 100, 1, *ROW),
        (50, TRADE, BID, 100, 1, 100, 5, 0, 0),
        (100, LIMIT, BID, 100, 5, *ROW),
    ])  # fmt: skip
    assert reaches(events, ASK)[0].tolist() == [1, 2, 4]
    assert reaches(events, BID)[0].tolist() == [1]
    found = depth_profile(events, quoted=(1, 4))
    assert found.distances == (1, 2, 3, 4)
    fills = np.array([4, 2, 1, 1])
    assert [rate.value for rate in found.rates] == pytest.approx(fills / 200)
    slope, level = np.polyfit(found.distances, np.log(fills / 200), 1)
    assert [found.k.value, found.a.value] == pytest.approx([-slope, math.exp(level)])
    r = np.corrcoef(found.distances, np.log(fills))[0, 1]
    assert found.fit.value == pytest.approx(r * r)
    assert (found.orders, found.left_out) == (4, 1)
    # both sides have half the orders in half the time
    asks = depth_profile(events, ASK, quoted=(1, 4))
    assert [rate.value for rate in asks.rates] == pytest.approx(np.array([3, 2, 1, 1]) / 100)


def test_refusals() -> None:
    events = events_of([(t, TRADE, ASK, 102, 1, *ROW) for t in range(20)])
    with pytest.raises(ConfigError, match="19 market orders in 19 s: a depth profile needs 30"):
        depth_profile(events)
    with pytest.raises(ConfigError, match="from 1 to 9 ticks: market orders reach 1 distances"):
        depth_profile(events, quoted=(1, 9))


@pytest.mark.filterwarnings("error")
def test_rates_that_do_not_fall_have_no_r2() -> None:
    """All market orders reach the same distance: there is no variation to explain."""
    rows = [(t, TRADE, ASK, 108, 1, 100, 5, 104, 5) for t in range(40)]
    profile = depth_profile(events_of(rows), side=ASK, quoted=(1, 4))
    assert profile.k.value == pytest.approx(0.0, abs=1e-12) and math.isnan(profile.fit.value)


def simulated(seed: int, a: float, k: float, hours: float = 6.5) -> Events:
    """Market orders that reach d ticks or more at rate a exp(-k d) on each side, about a spread of 4 ticks."""
    rng = np.random.default_rng(seed)
    seconds = hours * 3600
    count = rng.poisson(2 * a * math.exp(-2 * k) * seconds)
    reach = 2 + np.floor(rng.exponential(1 / k, count)).astype(np.int64)
    side = rng.choice([BID, ASK], count)
    time = np.sort(rng.integers(0, int(seconds * 1e9), count))
    ends = np.array([0, int(seconds * 1e9)])
    time_ns = OPEN_NS + np.insert(time, [0, count], ends)
    kind = np.insert(np.full(count, TRADE), [0, count], LIMIT).astype(np.int8)
    price = np.insert(1000 - side * reach, [0, count], 998)
    sides = np.insert(side, [0, count], BID).astype(np.int8)
    one = np.ones(count + 2, np.int64)
    bid, ask = 998 * one, 1002 * one
    return Events(time_ns, kind, sides, price, one, one * NO_ORDER, bid, one, ask, one, 0.01, 1.0, "", ())


def test_a_and_k_are_recovered() -> None:
    recovered = Recovered()
    for seed in range(20):
        found = depth_profile(simulated(seed, 0.9, 0.3), quoted=(2, 12))
        recovered.add("A", found.a, 0.9)
        recovered.add("k", found.k, 0.3)
        assert found.fit.value > 0.98
    recovered.check()


def test_three_distances_are_fitted_where_the_tick_is_large() -> None:
    """Hardly any order reaches the third distance, and still it is fitted."""
    events = simulated(3, 3.0, 2.2)
    found = depth_profile(events)
    assert found.distances == (2, 3, 4)
    assert found.rates[2].value * 2 * 23_400 < 30
    assert abs(found.k.z(2.2)) < 4


def test_the_usual_range_begins_at_the_spread_and_ends_where_orders_are_few() -> None:
    events = simulated(3, 0.9, 0.3)
    found = depth_profile(events)
    reach = np.concatenate([reaches(events, side)[0] for side in (BID, ASK)])
    assert found.distances[0] == 2
    assert (reach >= found.distances[-1]).sum() >= 30 > (reach >= found.distances[-1] + 1).sum()
