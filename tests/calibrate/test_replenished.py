"""The market `book` among limit orders of others: one consistent book, and every law found again in its tape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate.facts import mids_at
from mmrl.calibrate.market_orders import market_orders
from mmrl.calibrate.rates import rates
from mmrl.calibrate.replenished import background, replenished
from mmrl.calibrate.replenished_kernel import COLUMNS, KIND, PRICE, SIZE, Background, Scale, State, play
from mmrl.calibrate.study import study
from mmrl.data.events import ASK, BID, CANCEL, LIMIT, NO_SIZE, TRADE, Events
from mmrl.markets.book.settings import Settings
from mmrl.markets.book.state import parameters
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import Recovered, events_of, order_flow

SECOND = 10**9
LIKE = events_of([(0, LIMIT, BID, 100, 1, 100, 5, 110, 5)])
ONE = np.array([[1.0, 1.0]])
NOBODY = (-50.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Intensity of no market orders at all."""


def book(**settings: Any) -> Settings:
    chosen = {"arrivals": "orders", "market_order": "walk", "volatility": 0.0, "drift": 0.0, "midprice": 50.0}
    market = build({"market": {"name": "book", "tick": 0.01, **chosen, **settings}}).market
    assert isinstance(market, Settings)
    return market


def others(limit: tuple[float, ...], cancel: tuple[float, ...], size: int = 1) -> Background:
    sizes = ONE * [size, 1]
    return Background(np.array(limit), np.array(cancel) / size, sizes, sizes)


def settled(events: Events) -> np.ndarray:
    """(bid, bid size, ask, ask size) before each event."""
    return np.stack([events.bid_price, events.bid_size, events.ask_price, events.ask_size], axis=1)


def test_every_row_is_the_book_that_the_rows_before_add_up_to() -> None:
    many = others((2.0, 1.0, 0.5, 0.25), (0.3, 0.2, 0.1, 0.1), 3)
    tape = replenished(book(volatility=0.0002, intensity=(-1.0, 0, 0, 0, 0, 0)), many, LIKE, 3_000.0, 1)
    assert (np.diff(tape.time_ns) >= 0).all() and tape.time_ns[0] >= LIKE.time_ns[0]
    queues: dict[tuple[int, int], int] = {}
    known: set[tuple[int, int]] = set()  # levels that were the best once: before, what stands there is not known
    for k, (bid, bid_size, ask, ask_size) in enumerate(settled(tape).tolist()):
        for side, price, size in ((BID, bid, bid_size), (ASK, ask, ask_size)):
            if size != NO_SIZE:
                if (side, price) in known:
                    assert queues[side, price] == size, k
                queues[side, price] = size
                known.add((side, price))
            else:
                assert max((n for (which, _), n in queues.items() if which == side), default=0) <= 0, k
        at = (int(tape.side[k]), int(tape.price[k]))
        change = int(tape.size[k]) if tape.kind[k] == LIMIT else -int(tape.size[k])
        queues[at] = queues.get(at, 0) + change
        if at in known:
            assert queues[at] >= 0
    there = (tape.bid_size > 0) & (tape.ask_size > 0)
    assert there.mean() > 0.7 and (tape.bid_price < tape.ask_price)[there].all()
    assert set(tape.kind.tolist()) == {LIMIT, CANCEL, TRADE}


def test_rates_of_limit_orders_and_cancellations_are_found_again() -> None:
    """With a mid that stands still and many orders at it the spread is one tick: distances are as they were drawn."""
    lam, theta = (40.0, 3.0, 2.0, 1.0), (0.5, 0.4, 0.3, 0.2)
    found = Recovered()
    for seed in range(3):
        tape = replenished(book(intensity=NOBODY), others(lam, theta), LIKE, 3_000.0, seed)
        assert (tape.ask_price - tape.bid_price == 1).all()
        fitted = rates(tape, 4, deep=True)
        found.add_all("limit", fitted.limit, [60 * x for x in lam])
        found.add_all("cancel", fitted.cancel, [60 * x for x in theta])
        assert fitted.disagreements < 1e-5  # at the start it guesses
    found.check(0.8)


def test_market_orders_come_by_the_law_of_the_book_and_have_its_sizes() -> None:
    law = (0.4, -0.9, 0.1, -0.3, 0.05, -0.1)
    market = book(intensity=law, order_sizes=[1, 3], lot=2)
    tape = replenished(market, others((4.0, 2.0, 1.0), (0.3,) * 3, 2), LIKE, 6_000.0, 3, lots=2)
    orders = market_orders(tape)
    row = np.arange(len(tape) - 1)
    lasted = np.diff(tape.time_ns) / SECOND
    mid = 5000.5  # half a tick above the price that midprice is rounded to
    for side, price, size in ((ASK, tape.ask_price, tape.ask_size), (BID, tape.bid_price, tape.bid_size)):
        far = np.abs(price[row + 1] - mid)  # the book that stood during the interval is that before its end
        lots = size[row + 1] / 2 / 2  # in shares, then lots of two shares
        x, y = np.log1p(far), np.log1p(lots)
        power = law[0] + law[1] * x + law[2] * x**2 + law[3] * y + law[4] * y**2 + law[5] * np.log1p(far + lots)
        expected = float((np.where(lots > 0, np.exp(power), 0.0) * lasted).sum())
        hit = orders.side == side
        assert abs(hit.sum() - expected) < 4 * math.sqrt(expected) and expected > 500
    whole = orders.size[np.isin(orders.size, [2, 6])]
    assert len(whole) > 0.9 * len(orders.size)  # others met an empty side
    assert abs((whole == 6).mean() - 0.5) < 0.06


def test_the_mid_moves_as_stated_and_passes_orders() -> None:
    sigma = 0.0004  # dollars in a root of a millisecond: 1.265 ticks in a root of a second
    flow = others((4.0, 3.0, 2.0, 1.0), (0.5,) * 4)
    tape = replenished(book(volatility=sigma, intensity=NOBODY), flow, LIKE, 40_000.0, 5)
    grid = tape.time_ns[0] + np.arange(1, 660) * 60 * SECOND
    moved = np.diff(mids_at(tape, grid))
    expected = (sigma / 0.01) ** 2 * 1000 * 60
    assert moved.var() == pytest.approx(expected, rel=5 * math.sqrt(2 / len(moved)))
    assert abs(moved.mean()) < 4 * math.sqrt(expected / len(moved))
    drifting = book(volatility=sigma, drift=0.0001, intensity=NOBODY)
    there = replenished(drifting, flow, LIKE, 2_000.0, 5)
    gone = mids_at(there, there.time_ns[-1:])[0] - mids_at(there, there.time_ns[:1])[0]
    assert gone == pytest.approx(0.0001 * 2e6 / 0.01, abs=5 * sigma * math.sqrt(2e6) / 0.01)
    assert (tape.kind == TRADE).sum() > 1_000  # by the mid alone
    still = replenished(book(intensity=NOBODY), flow, LIKE, 500.0, 5)
    assert (still.kind != TRADE).all()
    assert still.bid_price.max() <= 5000 and still.ask_price.min() >= 5001


@pytest.mark.parametrize(
    ("mid", "bids", "asks"), [(101.4, [100, 101], [102, 103]), (102.0, [100, 101, 102], [102, 103])]
)
def test_orders_that_the_mid_has_passed_are_executed_best_first(mid: float, bids: list[int], asks: list[int]) -> None:
    queues = np.zeros((2, 200), np.int64)
    queues[:, 100:104] = 7
    state = State(
        np.array([0.0, mid]), queues, np.array([103, 100]), queues.sum(axis=1), np.zeros(6), np.ones(4, np.uint64)
    )
    out = np.empty((20, COLUMNS), np.int64)
    nobody = others((1e-12,) * 2, (0.0,) * 2)
    count = play(parameters(book(intensity=NOBODY)), nobody, Scale(0.0, 0.0, 0.01, 1.0), state, 0.01, out)
    assert [np.flatnonzero(queues[side]).tolist() for side in (0, 1)] == [bids, asks]
    assert out[:count, PRICE].tolist() == [*range(103, bids[-1], -1), *range(100, asks[0])]
    assert (out[:count, KIND] == TRADE).all() and (out[:count, SIZE] == 7).all()
    assert state.lots.tolist() == [7 * len(bids), 7 * len(asks)] and state.best.tolist() == [bids[-1], asks[0]]


def test_a_market_order_that_does_not_walk_stops_at_the_best_price() -> None:
    flow = others((1.0, 1.0, 1.0), (0.1,) * 3)
    for how, most in (("best", 1), ("walk", 3)):
        market = book(intensity=(0.0, 0, 0, 0, 0, 0), order_sizes=[50], market_order=how)
        tape = replenished(market, flow, LIKE, 500.0, 2)
        trades = tape.kind == TRADE
        _, rows = np.unique(tape.time_ns[trades], return_counts=True)
        assert (rows.max() == 1) if most == 1 else (rows.max() >= most)


def test_seeds() -> None:
    flow = others((4.0, 2.0), (0.3, 0.3))
    market = book(volatility=0.001, intensity=(0.0, 0, 0, 0, 0, 0))
    first, same, second = (replenished(market, flow, LIKE, 200.0, seed) for seed in (1, 1, 2))
    assert (settled(first) == settled(same)).all() and (first.time_ns == same.time_ns).all()
    assert len(second) != len(first) or (second.time_ns != first.time_ns).any()


def test_the_background_of_a_day() -> None:
    """Rates by distance with the power law beyond; a cancellation takes as many lots as one of the data on average."""
    tape, _ = order_flow(1, 20_000, size_law="geometric", limit_size=3.0)
    found = study(tape)
    flow = background(found)
    assert found.rates is not None and found.rates.power_law is not None
    known = len(found.rates.limit)
    assert flow.limit[:known] * 60 == pytest.approx([e.value for e in found.rates.limit], rel=1e-5)
    beyond = found.rates.power_law.k.value / (known + 1) ** found.rates.power_law.alpha.value
    assert flow.limit[known] * 60 == pytest.approx(beyond, rel=1e-5)
    mean = found.sizes.cancel.mean.value
    assert flow.cancel[:known] * 60 * mean == pytest.approx([e.value for e in found.rates.cancel], rel=1e-5)
    assert (flow.cancel[known:] == flow.cancel[known - 1]).all() and len(flow.cancel) == len(flow.limit) == 30
    assert flow.limit_sizes[-1, 1] == pytest.approx(1.0) and (np.diff(flow.limit_sizes, axis=0) > 0).all()
    assert [found.sizes.limit.values[0], found.sizes.limit.weights[0]] == pytest.approx(flow.limit_sizes[0])


def test_what_cannot_be_simulated_is_refused() -> None:
    flow = others((4.0, 2.0), (0.3, 0.3))
    with pytest.raises(ConfigError, match=r"market\.volatility = 1000 moves the mid by \d+ ticks, too far: lower it"):
        replenished(book(volatility=1000.0), flow, LIKE, 1e6, 1)
    with pytest.raises(ConfigError, match="more than 1000000 events in 60 s"):
        replenished(book(intensity=NOBODY), others((1e4, 1e4), (1.0, 1.0)), LIKE, 60.0, 1)
