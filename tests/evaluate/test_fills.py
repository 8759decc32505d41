"""The fills that an evaluation prints are the shares that traded, counted again on a slow book from the same numbers.

The rules are those of preset `lineage`, which lose orders without a trade: the mid drops what it has passed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmrl.evaluate.metrics import summarise
from mmrl.kernels.random import normal, poisson, seed_stream
from mmrl.markets.book.dynamics import arrival_rate, parameters
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve
from tests.conftest import book_of
from tests.markets.book.reference_book import ReferenceBook

FAR = {"bid": 0, "ask": 10**9}
ALL = 10**9
WAYS = {"bid": -1, "ask": 1}
"""Away from the mid."""


class LineageBook:
    """One game under the lineage's rules; every share is the maker's. Prices in ticks."""

    def __init__(self, config: Config, seed: int, number: int) -> None:
        self.p, self.market = parameters(book_of(config)), book_of(config)
        self.rng = np.empty(4, np.uint64)
        seed_stream(self.rng, seed, 0, number)
        self.book, self.mid = ReferenceBook("size"), self.p.mid + self.p.base
        self._start()

    def total(self, side: str) -> int:
        return sum(shares for _, shares, _ in self.book.depth(side))

    @property
    def empty(self) -> bool:
        return not (self.book.sides["bid"] and self.book.sides["ask"])

    def _start(self) -> None:
        placed = 0
        while placed < self.market.book_size:
            distances = [0.5 * self.p.spread + 0.25 * self.p.spread * normal(self.rng) for _ in range(2)]
            shares = [poisson(self.rng, 2 * self.market.book_size / 1000, 10**9) for _ in range(2)]
            for (side, way), distance, count in zip(WAYS.items(), distances, shares, strict=True):
                if count:
                    self.book.place(side, count, math.floor(self.mid + way * distance + 0.5), "maker")
            if not self.empty:
                self._drop()
            placed += sum(shares)

    def _drop(self) -> None:
        """What the mid has passed disappears; a side that this empties gets 100 shares a tick away."""
        for side, limit, way in (("bid", math.floor(self.mid) + 1, -1), ("ask", math.ceil(self.mid) - 1, 1)):
            prices = self.book.prices(side)
            if not prices or (prices[0] - self.mid) * way >= 0:
                continue
            self.book.take(side, ALL, limit, "maker")  # the maker's by the maker: no trade
            if not self.book.sides[side]:
                self.book.place(side, 100, math.floor(self.mid + 0.5) + way, "maker")

    def quote(self, shares: int, distance: float) -> None:
        for side, way in WAYS.items():
            price = math.floor(self.mid + way * distance / self.market.tick + 0.5)
            self.book.place(side, shares, price, "maker")
            self._drop()

    def answer(self) -> bool:
        """Whether the step counts."""
        if self.empty:
            return False
        self.mid += self.p.drift + self.p.scale * normal(self.rng)
        self._drop()
        orders = []
        for side, way in (("ask", 1), ("bid", -1)):  # buyers meet asks; rates are those before either trades
            price = self.book.prices(side)[0]
            first = self.book.sides[side][price][0][0]
            whole = self.total(side)
            best = sum(shares for shares, _ in self.book.sides[side][price])
            rate = self.p.dt * arrival_rate(self.p, (price - self.mid) * way * self.market.tick, first)
            orders.append((side, rate, whole if self.market.market_order == "walk" else best))
        drawn = [(side, poisson(self.rng, rate, most)) for side, rate, most in orders]
        for side, shares in drawn:
            self.book.take(side, shares, FAR[side], "others")
        return not self.empty


@pytest.mark.parametrize(
    "rules",
    [{}, {"volatility": 0.05}, {"market_order": "best", "volatility": 0.05}],
    ids=["walk", "wild", "best, wild"],
)
def test_fills_are_the_shares_that_traded(rules: dict[str, Any]) -> None:
    config, _ = resolve({"nt": 100, "book_size": 1500, "threads": 1, **rules}, None, "lineage", {})
    batch = rollout(config, fixed(1.0, 0.01, 1.0, 0.01), 5, 0, count=3)
    lengths, counted = np.diff(batch.offsets), []
    for number in range(3):
        game = LineageBook(config, 5, number)
        steps, fills, cash = 0, 0, 0
        while steps < 100:
            game.quote(1, 0.01)
            if not game.answer():
                break  # a step that empties the book does not count
            steps, fills, cash = steps + 1, game.book.bought + game.book.sold, game.book.cash
        assert steps == lengths[number]
        assert batch.final_cash[number] == pytest.approx(cash * game.market.tick)
        counted.append(fills)
    np.testing.assert_array_equal(summarise(batch).fills, counted)
    assert sum(counted) > 500
