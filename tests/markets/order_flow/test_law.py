"""The background alone has the published probabilities of Cont, Stoikov & Talreja (2010), measured on its tape.

The tape is read as a stranger would: messages and best levels, nothing of the simulator.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmrl.kernels.jit import kernel
from mmrl.kernels.random import seed_stream
from mmrl.markets.order_flow.dynamics import run
from mmrl.markets.order_flow.queues import add, best, clear
from mmrl.markets.order_flow.state import ASK, BID, BOOK, MAKER, OTHERS, OWN, State
from mmrl.markets.order_flow.tape import LEVELS, NO_ASK
from tests.markets.order_flow.stage import Stage, settings_of

MID_GOES_UP = [
    [0.500, 0.336, 0.259, 0.216, 0.188],
    [0.664, 0.500, 0.407, 0.348, 0.307],
    [0.741, 0.593, 0.500, 0.437, 0.391],
    [0.784, 0.652, 0.563, 0.500, 0.452],
    [0.812, 0.693, 0.609, 0.548, 0.500],
]
"""By orders at the bid (rows) and at the ask, 1 to 5, spread one tick; rows 1 and 3 published, the others computed."""
QUEUE_LAW = [0.2532, 0.2838, 0.2225, 0.1341, 0.0656, 0.0270]
"""Of the queue at distance 1, prod lambda / (mu + j theta), for 0 to 5 orders."""
OWN_BID_FILLS = [[0.503, 0.698, 0.794, 0.848, 0.882], [0.359, 0.551, 0.664, 0.737, 0.787]]
"""By orders at the bid, the own counted (rows 1 and 2), and at the ask."""
BOTH_FILL = [[0.266, 0.308, 0.309, 0.300, 0.288], [0.288, 0.400, 0.452, 0.479, 0.491]]
"""Rows 1 and 5, both own orders counted."""
LIMIT, CANCEL, MARKET = 1, 3, 4
EVENTS = 1_500_000


@pytest.fixture(scope="module")
def tape() -> np.ndarray:
    """Time, type, number, shares, price, direction, owner; then ask price, shares, bid price, shares by level."""
    stage = Stage(settings_of(levels=6), seed=11, tape=EVENTS + 1000, tape_levels=2).reset()
    stage.run(events=EVENTS)
    return stage.tape()


def test_where_the_mid_goes(tape: np.ndarray) -> None:
    """P(mid goes up | b at the bid, a at the ask, spread 1) to 0.01."""
    ask, a, bid, b = tape[:, LEVELS : LEVELS + 4].T
    mid = ask + bid
    moved = np.flatnonzero(np.diff(mid))  # the mid after message `moved + 1` is another
    rows = np.arange(moved[-1] + 1)
    after = moved[np.searchsorted(moved, rows)]
    up = mid[after + 1] > mid[rows]
    found = np.zeros((5, 5))
    for i in range(5):
        for j in range(5):
            here = (ask[rows] - bid[rows] == 1) & (b[rows] == i + 1) & (a[rows] == j + 1)
            found[i, j] = up[here].mean()
    # both sides are alike: half the noise
    found = (found + 1 - found.T) / 2
    np.testing.assert_allclose(found, MID_GOES_UP, atol=0.01)


def test_law_of_the_queue_at_distance_one(tape: np.ndarray) -> None:
    """pi(n) ~ prod of birth(j - 1) / death(j), with the rates at which queues of n orders grow and shrink, to 0.005."""
    time, ask, bid, b = tape[:, 0], tape[:, LEVELS], tape[:, LEVELS + 2], tape[:, LEVELS + 3]
    kind, price, direction = tape[:, 1], tape[:, 4], tape[:, 5]
    n = np.where(bid == ask - 1, b, 0)  # shares at distance 1 from the ask
    stays = ask[1:] == ask[:-1]
    held, lasting = n[:-1].astype(int), np.diff(time)
    there = (price[1:] == ask[:-1] - 1) & (direction[1:] == 1)
    births, deaths, spent = np.zeros(12), np.zeros(12), np.zeros(12)
    for j in range(12):
        here = held == j
        spent[j] = lasting[here].sum()
        births[j] = (here & there & stays & (kind[1:] == LIMIT)).sum()
        deaths[j] = (here & there & stays & (kind[1:] != LIMIT)).sum()
    law = np.cumprod([1.0, *(births[:8] / spent[:8] / (deaths[1:9] / spent[1:9]))])
    np.testing.assert_allclose((law / law.sum())[:6], QUEUE_LAW, atol=0.005)


def test_rates_by_kind_and_distance(tape: np.ndarray) -> None:
    """Limit orders arrive at the published rates by distance from the opposite best, market orders at theirs."""
    minutes = tape[-1, 0] - tape[0, 0]
    kind, price, direction = tape[1:, 1], tape[1:, 4], tape[1:, 5]
    ask, bid = tape[:-1, LEVELS], tape[:-1, LEVELS + 2]
    distance = np.where(direction == 1, ask - price, price - bid)
    distance[(ask == NO_ASK) | (bid == -NO_ASK)] = 1  # an empty side, which hides from where distances are measured
    lambdas = [1.85, 1.51, 1.09, 0.88, 0.77, 1.92 / 6**0.52]
    for i, rate in enumerate(lambdas, 1):
        found = ((kind == LIMIT) & (distance == i)).sum() / minutes / 2
        assert found == pytest.approx(rate, abs=4 * np.sqrt(rate / 2 / minutes)), i
    assert not ((kind == LIMIT) & ((distance < 1) | (distance > 6))).any()
    found = (kind == MARKET).sum() / minutes / 2
    assert found == pytest.approx(0.94, abs=4 * np.sqrt(0.94 / 2 / minutes))


@kernel
def race(p, book, shape, both, trials):
    """How often the maker's share, last in a bid queue of b, is filled before the mid moves; with `both` also the one
    that is last in an ask queue of a. `book` is (levels, orders, tape, known), `shape` is (b, a)."""
    books = np.zeros(1, BOOK)
    s = State(books[0], *book)
    rng = np.empty(4, np.uint64)
    won = 0
    for trial in range(trials):
        seed_stream(rng, 5, 10 * shape[0] + shape[1], trial)
        clear(s, 10_000)
        for side in range(2):
            own = side == BID or both
            for _ in range(shape[side] - own):
                add(s, side, np.int64(10_000 + side), np.int64(1), OTHERS)
            if own:
                add(s, side, np.int64(10_000 + side), np.int64(1), MAKER)
            for i in range(1, 6):
                add(s, side, np.int64(10_000 + side + (2 * side - 1) * i), np.int64(1), OTHERS)
        while True:
            run(p, s, rng, math.inf, 1)
            waiting = s.book.meta[OWN + BID] >= 0 or (both and s.book.meta[OWN + ASK] >= 0)
            if not waiting:
                won += 1
            if not waiting or best(s, BID) != 10_000 or best(s, ASK) != 10_001:
                break
    books[0].meta[OWN] = 0  # a record alone does not keep the memory in which it lies
    return won / trials


def wins(both: bool, rows: tuple[int, ...]) -> np.ndarray:
    stage = Stage(settings_of(levels=6))
    book = (stage.s.levels, stage.s.orders, stage.s.tape, stage.s.known)
    found = [[race(stage.p, book, (b, a), int(both), 40_000) for a in range(1, 6)] for b in rows]
    return np.array(found)


def test_own_bid_fills_before_the_mid_moves() -> None:
    np.testing.assert_allclose(wins(False, (1, 2)), OWN_BID_FILLS, atol=0.01)


def test_both_own_quotes_fill_before_the_mid_moves() -> None:
    np.testing.assert_allclose(wins(True, (1, 5)), BOTH_FILL, atol=0.01)
