"""Profile, sizes, course of the day, and the held-out check: by hand, and on tapes whose law is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mmrl.calibrate.held_out import hold_out_hawkes, hold_out_intensity
from mmrl.calibrate.intraday import intraday
from mmrl.calibrate.profile import profile, weighted_median
from mmrl.calibrate.sizes import order_sizes, sizes
from mmrl.data.events import ASK, BID, CANCEL, HIDDEN, LIMIT, TRADE, Events
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import OPEN_NS, events_of, order_flow


def test_a_profile_by_hand() -> None:
    """Spread 10 ticks for 3 s, 20 for 1 s, no ask for 6 s; prices move by 10 ticks."""
    events = events_of([
        (0, LIMIT, BID, 100, 1, 100, 5, 110, 5),
        (3, LIMIT, BID, 100, 1, 100, 5, 110, 7),
        (4, CANCEL, BID, 100, 1, 90, 9, 110, 7),
        (10, TRADE, BID, 100, 1, 90, 9, 0, 0),
        (10, HIDDEN, BID, 95, 1, 90, 9, 110, 1),
    ])  # fmt: skip
    found = profile(events)
    assert found.tick_size == pytest.approx(0.1)
    assert [found.seconds, found.usable] == pytest.approx([10, 0.4])
    assert found.spread.value == pytest.approx((3 * 10 + 20) / 4)
    assert found.median_spread == 10
    assert found.at_one_tick.value == pytest.approx(0.75)
    assert found.mid == pytest.approx((3 * 105 + 100) / 4 * 0.01)
    assert [found.bid_depth.value, found.ask_depth.value] == pytest.approx([6, 7])
    assert (found.limit_orders, found.cancellations, found.market_orders, found.hidden_executions) == (2, 1, 1, 1)
    assert weighted_median(np.array([3.0, 1, 2]), np.array([1.0, 1, 1])) == 2
    with pytest.raises(ConfigError, match="no time with both best prices"):
        profile(events_of([(t, LIMIT, BID, 100, 1, 100, 5, 0, 0) for t in range(3)]))


def test_sizes_by_hand() -> None:
    found = sizes(OPEN_NS + np.arange(4) * 300 * 10**9, np.array([1, 2, 2, 7]))
    assert (found.values, found.weights) == ((1, 2, 7), (0.25, 0.5, 0.25))
    assert found.mean.value == 3
    # each block holds one order: 4 / 3 * (4 + 1 + 1 + 16) / 16
    assert found.mean.error == pytest.approx(math.sqrt(4 / 3 * 22 / 16))
    assert dict(found.quantiles)[0.5] == 2 and dict(found.quantiles)[0.9] == 7
    assert found.table() == (0.25, 0.5, 0, 0, 0, 0, 0.25)
    assert found.table(unit=2) == (0.75, 0, 0, 0.25)
    assert found.table(longest=3) == (0.25, 0.5, 0.25)
    # geometric with mean 3: P(<= 6) = 1 - (2/3)^6, where the data have 3/4
    assert found.fit.value == pytest.approx(0.75 - (1 - (2 / 3) ** 2))


def test_the_distance_to_a_geometric_law_is_the_largest_anywhere() -> None:
    draws = np.random.default_rng(0).zipf(2.5, 500)
    found = sizes(np.full(500, OPEN_NS), draws)
    x = np.arange(1, draws.max() + 1)
    data = (draws[:, None] <= x).mean(axis=0)
    assert found.fit.value == pytest.approx(np.max(np.abs(stats.geom.cdf(x, 1 / draws.mean()) - data)))
    # of tens alone it is just before ten, where the law has 1 - 0.9^9 and the data nothing
    assert sizes(np.full(5, OPEN_NS), np.full(5, 10)).fit.value == pytest.approx(1 - 0.9**9)


def test_sizes_of_a_market_order_are_those_of_its_executions_together(amzn: Events) -> None:
    found = order_sizes(amzn)
    assert found.market.count == 6591
    assert found.market.mean.value == pytest.approx(amzn.size[amzn.kind == TRADE].sum() / 6591)
    assert found.limit.count == 27845


def test_the_course_of_a_day_by_hand() -> None:
    """From 9:40 to 10:10 with one limit order a minute, two after 10:00."""
    row = (100, 5, 101, 5)
    before, after = range(0, 20), np.arange(20, 30.25, 0.5)
    events = events_of([(60 * m, LIMIT, BID, 100, 1, *row) for m in (*before, *after)], start_ns=OPEN_NS + 600 * 10**9)
    found = intraday(events)
    assert found.start_s == (34_200, 36_000)
    assert [rate.value for rate in found.limit.rates] == pytest.approx([20 / 1200, 21 / 600])
    assert found.limit.relative == pytest.approx([1 / 60 / (41 / 1800), 0.035 / (41 / 1800)])
    assert [rate.value for rate in found.market.rates] == [0, 0]
    assert found.limit.rates[0].blocks == 4
    assert found.limit.fit.value < 0.1 < found.limit.flat.value


@pytest.mark.nightly
def test_a_poisson_process_has_dispersion_one() -> None:
    events, _ = order_flow(3, 60_000)
    found = intraday(events)
    assert len(found.start_s) == len(found.market.rates) == len(found.limit.relative)
    assert found.market.fit.value == pytest.approx(1, abs=0.15)
    assert found.market.flat.value == pytest.approx(1, abs=0.15)


def test_a_held_out_gain_by_hand() -> None:
    """Buys before 10 s: 2 in 5 s at spread 1, 1 in 5 s at spread 2; after: 1 in 4 s at 1 and 1 in 6 s at 2."""
    near, far = (100, 5, 101, 7), (100, 5, 102, 7)
    events = events_of([
        (0, LIMIT, BID, 99, 1, *near),
        (2, TRADE, ASK, 101, 1, *near),
        (4, TRADE, ASK, 101, 1, *near),
        (5, LIMIT, BID, 99, 1, *near),
        (9, TRADE, ASK, 102, 1, *far),
        (10, LIMIT, BID, 99, 1, *far),
        (12, TRADE, ASK, 101, 1, *near),
        (14, LIMIT, BID, 99, 1, *near),
        (17, TRADE, ASK, 102, 1, *far),
        (20, LIMIT, BID, 99, 1, *far),
    ])  # fmt: skip
    found = hold_out_intensity(events, ASK, 1.0, split_ns=OPEN_NS + 10 * 10**9 + 1)
    law = math.log(0.4) + math.log(0.2) - 4 * 0.4 - 6 * 0.2
    constant = 2 * math.log(0.3) - 10 * 0.3
    assert (found.fitted, found.held_out) == (3, 2)
    assert found.log_likelihood == pytest.approx(law / 2)
    assert found.constant == pytest.approx(constant / 2)
    assert found.gain.value == pytest.approx((law - constant) / 2)
    assert found.residuals.count == 1
    with pytest.raises(ConfigError, match=r"5 market orders before 34219\.5 s since midnight and 0 after"):
        hold_out_intensity(events, ASK, 1.0, split_ns=OPEN_NS + 19 * 10**9 + 5 * 10**8)


def test_the_right_law_gains_on_what_it_has_not_seen() -> None:
    events, _ = order_flow(5, 60_000, market_law="spread-queue", market_intensity=(0.6, -0.8, 0, -0.6, 0, 0))
    found = hold_out_intensity(events, BID, 1.0)
    assert found.gain.value > 4 * found.gain.error > 0
    assert found.residuals.p_value > 0.01


def test_excitation_gains_on_what_it_has_not_seen_and_nothing_where_there_is_none() -> None:
    excited, _ = order_flow(6, 60_000, hawkes_decays=(3.0,), hawkes_same=(0.5,), hawkes_cross=(0.1,))
    found = hold_out_hawkes(excited, exponentials=1)
    assert found.gain.value > 4 * found.gain.error > 0
    assert found.residuals.p_value > 0.01 > found.constant_residuals.p_value
    plain, _ = order_flow(7, 60_000)
    nothing = hold_out_hawkes(plain, exponentials=1)
    assert abs(nothing.gain.value) < 0.01
    assert nothing.constant_residuals.p_value > 0.01


def test_both_parts_of_a_day_add_up(amzn: Events) -> None:
    """Likelihood after the split, from a process that goes on, and of all of it: their difference is that before."""
    from mmrl.calibrate.excitation import pass_over
    from mmrl.calibrate.hawkes import Marks, fit_marks, marks

    found = hold_out_hawkes(amzn, exponentials=1, split_ns=45_000 * 10**9)
    data = marks(amzn)
    at = 45_000 - data.start_ns / 1e9
    early = data.time < at
    before = fit_marks(Marks(data.time[early], data.side[early], data.start_ns, at), 1)
    log_rate, integral, _ = pass_over(data.time, data.side, data.end, before.values(), 1)
    after = log_rate.sum() - integral.sum() - before.log_likelihood
    assert found.log_likelihood * found.held_out == pytest.approx(after, rel=1e-9)


def test_amzn_afternoon(amzn: Events) -> None:
    sells, buys = (hold_out_intensity(amzn, side, 100.0) for side in (BID, ASK))
    assert sells.gain.value > 3 * sells.gain.error
    assert abs(buys.gain.value) < buys.gain.error, "the law of buys in the morning tells nothing of the afternoon"
    hawkes = hold_out_hawkes(amzn)
    assert hawkes.gain.value > 2
    assert hawkes.residuals.distance < 0.1 < 0.5 < hawkes.constant_residuals.distance
