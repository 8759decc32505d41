"""An order book of one's own in Python, on the functions of the market's compiled one."""

from operator import index

import numpy as np

from mmrl.kernels.jit import record_type
from mmrl.markets.book.order_book import (
    ASK,
    BEST,
    BID,
    FRESH,
    HEAD,
    MAKER,
    META,
    MOST,
    NEXT,
    OTHERS,
    OWN,
    OWNER,
    SHARES,
    SIDE_OWN,
    SIDE_TOTAL,
    SIZE,
    TIME,
    TOTAL,
    Book,
    cancel,
    clear,
    place,
    take,
    words,
)

ALL_SHARES = 2**62
"""More than a book holds."""


class LimitOrderBook:
    """A limit-order book with prices in integer ticks of [low, high].

    Orders are of "others" or of the "maker", whose `cash` (ticks) and `inventory` (shares) it keeps. Under `priority`
    "time" the first order of a price is filled first, under "size" the smallest. Raises ValueError for what cannot be.
    """

    def __init__(self, low: int, high: int, priority: str = "time") -> None:
        self.low, self.high = index(low), index(high)
        if self.low > self.high:
            raise ValueError(f"low = {low} is above high = {high}")
        self.cash, self.inventory = 0, 0
        levels = self.high - self.low + 1
        try:
            ladder, held = np.empty((levels, 4), np.int32), np.empty(words.py_func(levels), np.uint64)
        except (MemoryError, ValueError):  # a size that numpy has no room, or no number, for
            raise ValueError(
                f"low = {low} to high = {high} are more prices than memory can hold: bring them closer"
            ) from None
        core = np.zeros(1, record_type([("meta", np.int64, (META,))]))
        self._meta = core["meta"][0]
        self._book = Book(ladder, np.empty((1024, 3), np.int32), held, core[0])
        clear(self._book, _one_of("priority", priority, {"time": TIME, "size": SIZE}))

    def bid(self, shares: int, price: int, owner: str = "others") -> int:
        """Place a limit order to buy; returns the shares that met asks at once."""
        return self._place(BID, shares, price, owner)

    def ask(self, shares: int, price: int, owner: str = "others") -> int:
        """Place a limit order to sell; returns the shares that met bids at once."""
        return self._place(ASK, shares, price, owner)

    def buy(self, shares: int, limit: int | None = None) -> int:
        """A market order of others that buys from the asks, up to a limit price; returns the shares bought."""
        return self._market(ASK, shares, self.high if limit is None else limit)

    def sell(self, shares: int, limit: int | None = None) -> int:
        """A market order of others that sells to the bids, down to a limit price; returns the shares sold."""
        return self._market(BID, shares, self.low if limit is None else limit)

    def cancel(self, side: str, shares: int, limit: int) -> int:
        """Withdraw up to `shares` of the maker's own on "bid" or "ask", best first; returns how many."""
        code = _one_of("side", side, {"bid": BID, "ask": ASK})
        shares, limit = self._reached(index(shares), index(limit))
        if shares < 1:
            raise ValueError(f"shares = {shares} is not allowed: at least one share can be withdrawn")
        return int(cancel(self._book, code, shares, limit - self.low))

    def best(self, side: str) -> tuple[int, int] | None:
        """Best price in ticks and the shares there, or None if the side is empty."""
        code = _one_of("side", side, {"bid": BID, "ask": ASK})
        if self._meta[SIDE_TOTAL + code] == 0:
            return None
        level = self._meta[BEST + code]
        return int(level + self.low), int(self._book.ladder[level, TOTAL])

    def shares(self, side: str) -> tuple[int, int]:
        """All shares that rest on a side, and the maker's own among them."""
        code = _one_of("side", side, {"bid": BID, "ask": ASK})
        return int(self._meta[SIDE_TOTAL + code]), int(self._meta[SIDE_OWN + code])

    def depth(self, side: str) -> list[tuple[int, int, int]]:
        """Levels of a side, best first, as (price in ticks, shares, the maker's own shares)."""
        best = self.best(side)
        if best is None:
            return []
        start = best[0] - self.low
        rows = range(start, -1, -1) if side == "bid" else range(start, self.high - self.low + 1)
        ladder = self._book.ladder
        return [(i + self.low, int(ladder[i, TOTAL]), int(ladder[i, OWN])) for i in rows if ladder[i, TOTAL]]

    def lots(self, price: int) -> list[tuple[int, str]]:
        """Lots at a price, first to be filled first, as (shares, owner)."""
        found: list[tuple[int, str]] = []
        if not self.low <= index(price) <= self.high:
            raise ValueError(f"price = {price} is not allowed: it must be in [{self.low}, {self.high}]")
        lot = self._book.ladder[price - self.low, HEAD]
        while lot >= 0:
            found.append((int(self._book.lots[lot, SHARES]), ("others", "maker")[self._book.lots[lot, OWNER]]))
            lot = self._book.lots[lot, NEXT]
        return found

    def _place(self, side: int, shares: int, price: int, owner: str) -> int:
        shares, price = index(shares), index(price)
        if shares < 1 or not self.low <= price <= self.high:
            raise ValueError(f"an order needs at least one share and a price in [{self.low}, {self.high}]")
        lots = self._book.lots
        if self._meta[FRESH] == len(lots):
            self._book = self._book._replace(lots=np.concatenate([lots, np.empty_like(lots)]))
        code = _one_of("owner", owner, {"others": OTHERS, "maker": MAKER})
        level = price - self.low
        full = shares > MOST - self._book.ladder[level, TOTAL]  # if these were all of its own side
        if full and shares > (room := self._room(side, level)):
            raise ValueError(f"shares = {shares} is not allowed: at {price} there is room for {room}")
        taken, own, cash, own_cash, _ = place(self._book, side, level, shares, code)
        sign = 1 if side == BID else -1
        if code == MAKER:  # meets others: a trade; meets itself: both orders vanish
            own, own_cash, sign = taken - own, cash - own_cash, -sign
        self._book_fill(own, own_cash, sign)
        return int(taken)

    def _room(self, side: int, level: int) -> int:
        """Shares that an order may have: what it meets on the other side, and what can rest at its level."""
        best, other = self._meta[BEST + side], self._meta[BEST + 1 - side]
        totals = self._book.ladder[:, TOTAL]
        resting = totals[level] if (level <= best if side == BID else level >= best) else 0
        met = totals[other : level + 1] if side == BID else totals[level : other + 1]
        return int(MOST) - int(resting) + int(met.sum(dtype=np.int64))

    def _reached(self, shares: int, limit: int) -> tuple[int, int]:
        """Shares and limit of an order of any size, as far as they matter: no book holds more, nor has other prices."""
        return min(shares, ALL_SHARES), min(max(limit, self.low - 1), self.high + 1)

    def _market(self, side: int, shares: int, limit: int) -> int:
        shares, limit = self._reached(index(shares), index(limit))
        if shares < 1:
            raise ValueError(f"shares = {shares} is not allowed: a market order needs at least one share")
        taken, own, _, own_cash, _ = take(self._book, side, shares, limit - self.low)
        self._book_fill(own, own_cash, 1 if side == ASK else -1)
        return int(taken)

    def _book_fill(self, shares: int, level_cash: int, sign: int) -> None:
        """The maker sells (sign 1) or buys (sign -1) at the prices summed in `level_cash`."""
        self.cash += sign * (int(level_cash) + int(shares) * self.low)
        self.inventory -= sign * int(shares)


def _one_of(what: str, given: str, allowed: dict[str, int]) -> int:
    """The code of a name."""
    if given not in allowed:
        raise ValueError(f"{what} = {given!r} is not allowed: it must be {' or '.join(map(repr, allowed))}")
    return allowed[given]
