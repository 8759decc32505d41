"""What the speed of market order-flow is compared with has the same law."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mmrl.bench.plain_book import ASK, BID, PlainBook
from mmrl.bench.reference import plain_book
from mmrl.markets.order_flow.queues import others_at
from mmrl.markets.order_flow.state import BEST, NOW
from tests.markets.order_flow.stage import Stage, settings_of

BATCHES, SAMPLES, EVENTS = 100, 50, 10
"""Batches, which are nearly independent; samples of a batch; events from one to the next."""


@pytest.mark.nightly
def test_plain_book_has_the_law_of_the_market() -> None:
    """Mean spread, mean orders at the best prices, minutes that the events take."""
    stage, book = Stage(settings_of(), seed=3).reset(), plain_book(seed=4)
    for _ in range(2_000):
        book.event()
    figures = np.empty((2, BATCHES, 3))
    for k in range(BATCHES):
        sums, began = np.zeros((2, 2)), (book.time, stage.s.book["times"][NOW])
        for _ in range(SAMPLES):
            for _ in range(EVENTS):
                book.event()
            stage.run(events=EVENTS)
            best = [int(stage.meta[BEST + side]) for side in (BID, ASK)]
            sums[0] += (
                book.best[ASK] - book.best[BID],
                sum(len(book.sides[s].get(book.best[s], ())) for s in (BID, ASK)),
            )
            sums[1] += best[ASK] - best[BID], sum(others_at(stage.s, s, best[s]) for s in (BID, ASK))
        figures[:, k, :2] = sums / SAMPLES
        figures[:, k, 2] = book.time - began[0], stage.s.book["times"][NOW] - began[1]
    plain, compiled = figures.mean(axis=1)
    error = np.sqrt(figures.var(axis=1).sum(axis=0) / BATCHES)
    assert (error < 0.03 * compiled).all()
    assert (np.abs(plain - compiled) < 4 * error).all(), (plain, compiled, error)


def test_plain_book_has_its_rates() -> None:
    """Limit orders arrive at 2 (0.5 + 0.25), market orders at 2 * 0.2 a minute."""
    book, kinds = PlainBook((0.5, 0.25), (0.1, 0.2), 0.2, 100, 1), Counter[str]()
    for _ in range(40_000):
        kinds[book.event()] += 1
    assert kinds["limit"] / book.time == pytest.approx(1.5, rel=0.03)
    assert kinds["market"] / book.time == pytest.approx(0.4, rel=0.04)


def test_plain_book_cancels_by_distance_from_the_opposite_best() -> None:
    """Only orders two ticks from the opposite best are ever cancelled here: one a side."""
    for seed in range(20):
        book = PlainBook((0.0, 0.0), (0.0, 1.0), 0.0, 100, seed)
        assert [book.event(), book.event()] == ["cancel", "cancel"]
        assert (set(book.sides[BID]), set(book.sides[ASK])) == ({100}, {101})


def test_plain_book_fills_the_first_order_first() -> None:
    book = PlainBook((0.0,), (0.0,), 1.0, 100, 1)
    book._add(BID, 100)
    book._add(BID, 99)
    assert list(book.sides[BID][100]) == [0, 2]
    book._remove(BID, 100, 0)
    assert (list(book.sides[BID][100]), book.best) == ([2], [100, 101])
    book._remove(BID, 100, 0)
    assert book.best == [99, 101]
    book._remove(BID, 99, 0)
    assert book.best == [98, 101] and not book.sides[BID]
