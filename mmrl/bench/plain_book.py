"""An order book of many traders in plain Python, as people write it: what `mmrl bench` puts beside market order-flow.

Its law is that of the market's background: tables of rates by distance, whole orders of one size, exact in time
(Cont, Stoikov & Talreja 2010, Gillespie 1977). Nobody acts in it and nothing is observed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

BID, ASK = 0, 1


class PlainBook:
    """Queues of order numbers by price, a tick each; rates per minute, by distance 1, 2, ... from the opposite best."""

    def __init__(self, limit: Sequence[float], cancel: Sequence[float], market: float, mid: int, seed: int) -> None:
        """The last of the `cancel` rates holds beyond; the book begins with one order at each distance."""
        self.limit, self.cancel, self.market = limit, cancel, market
        self.random = random.Random(seed)
        self.time, self.orders = 0.0, 0
        self.sides: tuple[dict[int, deque[int]], dict[int, deque[int]]] = ({}, {})
        self.best = [mid, mid + 1]
        for i in range(len(limit)):
            self._add(BID, mid - i)
            self._add(ASK, mid + 1 + i)

    def event(self) -> str:
        """The next event: "limit", "cancel" or "market"."""
        events: list[tuple[str, int, int]] = []
        weights: list[float] = []
        for side in (BID, ASK):
            opposite, away = self.best[1 - side], 2 * side - 1
            for i, rate in enumerate(self.limit, 1):
                events.append(("limit", side, opposite + away * i))
                weights.append(rate)
            for price, queue in self.sides[side].items():
                events.append(("cancel", side, price))
                weights.append(self.cancel[min(abs(price - opposite), len(self.cancel)) - 1] * len(queue))
            events.append(("market", side, self.best[side]))
            weights.append(self.market)
        self.time += self.random.expovariate(sum(weights))
        kind, side, price = self.random.choices(events, weights)[0]
        if kind == "limit":
            self._add(side, price)
        elif price in self.sides[side]:
            place = self.random.randrange(len(self.sides[side][price])) if kind == "cancel" else 0
            self._remove(side, price, place)
        return kind

    def _add(self, side: int, price: int) -> None:
        self.sides[side].setdefault(price, deque()).append(self.orders)
        self.orders += 1
        self.best[side] = self._first(side)

    def _remove(self, side: int, price: int, place: int) -> None:
        queue = self.sides[side][price]
        del queue[place]
        if not queue:
            del self.sides[side][price]
            # The best of an empty side is one tick beyond its last price.
            self.best[side] = self._first(side) if self.sides[side] else price + 2 * side - 1

    def _first(self, side: int) -> int:
        return max(self.sides[BID]) if side == BID else min(self.sides[ASK])
