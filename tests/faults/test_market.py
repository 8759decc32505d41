"""The order book under a million random operations: what the market promises, and two books that break it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mmrl.markets.book.limit_order_book import LimitOrderBook
from tests.markets.book.reference_book import ReferenceBook
from tests.markets.book.test_order_book import (
    HIGH,
    LOW,
    apply,
    apply_slow,
    check,
    check_depth,
    random_operations,
)


class Embezzler(LimitOrderBook):
    """A book that keeps one coin of every sale of more than ten shares."""

    def _book_fill(self, shares: int, level_cash: int, sign: int) -> None:
        super()._book_fill(shares, level_cash - (sign > 0 and shares > 10), sign)


def violations(kind: type[LimitOrderBook], priority: str, operations: int) -> tuple[int, int]:
    """Operations until the first violation, and whether there was one.

    After each the book must agree with a slow reference on fills, cash, inventory and totals, and not be crossed;
    every 50 operations on each lot in its place in the queue, all of them of at least one share.
    """
    rng, done = np.random.default_rng(11), 0
    for _ in range(operations // 2000):
        book, slow, before = kind(LOW, HIGH, priority), ReferenceBook("time"), (0, 0)
        for number, operation in enumerate(random_operations(rng, 2000)):
            done += 1
            filled = apply(book, operation)
            try:
                assert filled == apply_slow(slow, operation)
                check(book, slow, before, operation, filled)
                if number % 50 == 0:
                    check_depth(book, slow)
            except AssertionError:
                return done, 1
            before = (book.shares("bid")[0], book.shares("ask")[0])
    return done, 0


@pytest.mark.nightly  # tests/markets tries some in every run of the tests
def test_a_million_orders(figure: Callable[..., None], caught: Callable[..., None]) -> None:
    steps, found = violations(LimitOrderBook, "time", 1_000_000)
    assert found == 0
    figure(20, "random orders and cancels: operations; crossed, out of turn, shares or cash lost", f"{steps}; {found}",
           "10^6; 0")  # fmt: skip
    for what, kind, priority in (
        ("a queue served by size", LimitOrderBook, "size"),
        ("a coin of every large sale kept", Embezzler, "time"),
    ):
        step, found = violations(kind, priority, 10_000)
        assert found
        caught(20, f"{what}: found at operation {step}")
