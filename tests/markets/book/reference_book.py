"""A slow and obvious order book: a list of lots per price, in order of service."""

from typing import Any


class ReferenceBook:
    """Prices are integer ticks; a lot is [shares, owner]."""

    def __init__(self, priority: str) -> None:
        self.priority = priority
        self.sides: dict[str, dict[int, list[list[Any]]]] = {"bid": {}, "ask": {}}
        self.cash = self.inventory = 0
        self.bought = self.sold = self.paid = self.received = 0

    def prices(self, side: str) -> list[int]:
        return sorted(self.sides[side], reverse=side == "bid")

    def depth(self, side: str) -> list[tuple[int, int, int]]:
        levels = self.sides[side]
        return [
            (p, sum(n for n, _ in levels[p]), sum(n for n, o in levels[p] if o == "maker")) for p in self.prices(side)
        ]

    def place(self, side: str, shares: int, price: int, owner: str) -> int:
        other = "ask" if side == "bid" else "bid"
        met = self.take(other, shares, price, owner if owner == "maker" else "others")
        if shares > met:
            lots = self.sides[side].setdefault(price, [])
            if self.priority == "time" and lots and lots[-1][1] == owner:
                lots[-1][0] += shares - met
            else:
                lots.append([shares - met, owner])
            self._sort(lots)
        return met

    def take(self, side: str, shares: int, limit: int, taker: str) -> int:
        taken = 0
        for price in self.prices(side):
            if taken == shares or (price > limit if side == "ask" else price < limit):
                break
            lots = self.sides[side][price]
            while lots and taken < shares:
                n = min(lots[0][0], shares - taken)
                owner = lots[0][1]
                if owner == "maker" and taker == "others":
                    self._trade(side == "bid", n, price)
                if owner == "others" and taker == "maker":
                    self._trade(side == "ask", n, price)
                lots[0][0] -= n
                taken += n
                if lots[0][0] == 0:
                    lots.pop(0)
            if not lots:
                del self.sides[side][price]
        return taken

    def _trade(self, buys: bool, shares: int, price: int) -> None:
        """The maker buys or sells."""
        if buys:
            self.bought += shares
            self.paid += shares * price
        else:
            self.sold += shares
            self.received += shares * price
        self.inventory = self.bought - self.sold
        self.cash = self.received - self.paid

    def cancel(self, side: str, shares: int, limit: int) -> int:
        done = 0
        for price in self.prices(side):
            if price > limit if side == "ask" else price < limit:
                break
            lots = self.sides[side][price]
            own = [lot for lot in lots if lot[1] == "maker"]
            for lot in reversed(own) if self.priority == "time" else own:
                n = min(lot[0], shares - done)
                lot[0] -= n
                done += n
            lots[:] = [lot for lot in lots if lot[0] > 0]
            self._sort(lots)
            if not lots:
                del self.sides[side][price]
        return done

    def _sort(self, lots: list[list[Any]]) -> None:
        if self.priority == "size":
            lots.sort(key=lambda lot: lot[0])
