"""Order book over a dense price ladder: integer ticks, linked lists of lots, O(1) best quotes.

Compiled functions work on three int64 arrays:
`ladder[L, 4]` one row per tick (shares, the maker's own shares, first lot, last lot); a row belongs to bids or
asks, never both; `lots[N, 3]` the pool of lots (shares, owner, next lot); `meta[12]` the rest of the state.
"""

from operator import index
from typing import Any

import numpy as np

from mmrl.kernels.jit import inlined

# Typed, since a kernel would be compiled once more for every plain constant that it is called with.
BID: Any = np.int64(0)
ASK: Any = np.int64(1)
OTHERS: Any = np.int64(0)
MAKER: Any = np.int64(1)
TIME, SIZE = 0, 1
TOTAL, OWN, HEAD, TAIL = 0, 1, 2, 3
SHARES, OWNER, NEXT = 0, 1, 2
# meta: best level, shares and the maker's shares, each for (bid, ask); free lots; first unused lot; priority.
BEST, SIDE_TOTAL, SIDE_OWN, FREE, FRESH, PRIORITY = 0, 2, 4, 6, 7, 8
META = 12


@inlined
def clear(ladder, lots, meta, priority):
    """Empty the book."""
    for i in range(ladder.shape[0]):
        ladder[i, TOTAL] = 0
        ladder[i, OWN] = 0
        ladder[i, HEAD] = -1
        ladder[i, TAIL] = -1
    meta[:] = 0
    meta[BEST + BID] = -1
    meta[BEST + ASK] = ladder.shape[0]
    meta[FREE] = -1
    meta[PRIORITY] = priority


@inlined
def _new_lot(lots, meta, shares, owner):
    lot = meta[FREE]
    if lot >= 0:
        meta[FREE] = lots[lot, NEXT]
    else:
        lot = meta[FRESH]
        if lot >= lots.shape[0]:
            raise MemoryError("the pool of lots is full")
        meta[FRESH] = lot + 1
    lots[lot, SHARES] = shares
    lots[lot, OWNER] = owner
    lots[lot, NEXT] = -1
    return lot


@inlined
def _link(ladder, lots, meta, level, lot):
    """Insert a lot into its level: last under time priority, by size (smallest first) under size priority."""
    head = ladder[level, HEAD]
    if head < 0:
        ladder[level, HEAD] = lot
        ladder[level, TAIL] = lot
        return
    if meta[PRIORITY] == TIME:
        lots[ladder[level, TAIL], NEXT] = lot
        ladder[level, TAIL] = lot
        return
    previous = np.int64(-1)
    while head >= 0 and lots[head, SHARES] <= lots[lot, SHARES]:
        previous = head
        head = lots[head, NEXT]
    lots[lot, NEXT] = head
    if previous < 0:
        ladder[level, HEAD] = lot
    else:
        lots[previous, NEXT] = lot
    if head < 0:
        ladder[level, TAIL] = lot


@inlined
def _unlink(ladder, lots, level, lot, previous):
    after = lots[lot, NEXT]
    if previous < 0:
        ladder[level, HEAD] = after
    else:
        lots[previous, NEXT] = after
    if after < 0:
        ladder[level, TAIL] = previous
    lots[lot, NEXT] = -1


@inlined
def _free_lot(lots, meta, lot):
    lots[lot, NEXT] = meta[FREE]
    meta[FREE] = lot


@inlined
def _find_best(ladder, meta, side):
    """Move the best quote of a side outwards to the next level that holds shares."""
    if meta[SIDE_TOTAL + side] == 0:
        meta[BEST + side] = -1 if side == BID else ladder.shape[0]
        return
    level = meta[BEST + side]
    step = -1 if side == BID else 1
    while ladder[level, TOTAL] == 0:
        level += step
    meta[BEST + side] = level


@inlined
def rest(ladder, lots, meta, side, level, shares, owner):
    """Let shares rest at a level (the caller has matched them against the other side)."""
    tail = ladder[level, TAIL]
    if meta[PRIORITY] == TIME and tail >= 0 and lots[tail, OWNER] == owner:
        lots[tail, SHARES] += shares
    else:
        _link(ladder, lots, meta, level, _new_lot(lots, meta, shares, owner))
    ladder[level, TOTAL] += shares
    meta[SIDE_TOTAL + side] += shares
    if owner == MAKER:
        ladder[level, OWN] += shares
        meta[SIDE_OWN + side] += shares
    best = meta[BEST + side]
    if (side == BID and level > best) or (side == ASK and level < best):
        meta[BEST + side] = level


@inlined
def take(ladder, lots, meta, side, shares, limit):
    """Remove up to `shares` of a side, best first and no further than level `limit`.

    Returns shares taken, the maker's among them, the sum of level * shares for each of the two, and whole lots.
    """
    taken = own = cash = own_cash = whole = np.int64(0)
    while shares > 0 and meta[SIDE_TOTAL + side] > 0:
        level = meta[BEST + side]
        if (side == BID and level < limit) or (side == ASK and level > limit):
            break
        lot = ladder[level, HEAD]
        size = lots[lot, SHARES]
        k = min(size, shares)
        shares -= k
        taken += k
        cash += k * level
        ladder[level, TOTAL] -= k
        meta[SIDE_TOTAL + side] -= k
        if lots[lot, OWNER] == MAKER:
            own += k
            own_cash += k * level
            ladder[level, OWN] -= k
            meta[SIDE_OWN + side] -= k
        if k == size:
            whole += 1
            _unlink(ladder, lots, level, lot, np.int64(-1))
            _free_lot(lots, meta, lot)
            if ladder[level, TOTAL] == 0:
                _find_best(ladder, meta, side)
        else:
            lots[lot, SHARES] = size - k
    return taken, own, cash, own_cash, whole


@inlined
def place(ladder, lots, meta, side, level, shares, owner):
    """Place a limit order: what it meets on the other side is taken, the remainder rests; returns as `take`."""
    result = take(ladder, lots, meta, 1 - side, shares, level)
    if shares > result[0]:
        rest(ladder, lots, meta, side, level, shares - result[0], owner)
    return result


@inlined
def _cancel_level(ladder, lots, meta, side, level, shares):
    # Time priority gives up the newest lot first (it stands last), size priority the smallest.
    newest = meta[PRIORITY] == TIME
    left = min(shares, ladder[level, OWN])
    done = left
    while left > 0:
        lot = ladder[level, HEAD]
        before = np.int64(-1)
        found = np.int64(-1)
        found_before = np.int64(-1)
        while lot >= 0:
            if lots[lot, OWNER] == MAKER:
                found = lot
                found_before = before
                if not newest:
                    break
            before = lot
            lot = lots[lot, NEXT]
        size = lots[found, SHARES]
        if size <= left:
            left -= size
            _unlink(ladder, lots, level, found, found_before)
            _free_lot(lots, meta, found)
        elif newest:
            lots[found, SHARES] = size - left
            left = 0
        else:  # the smaller remainder may now precede others' lots
            _unlink(ladder, lots, level, found, found_before)
            lots[found, SHARES] = size - left
            _link(ladder, lots, meta, level, found)
            left = 0
    ladder[level, TOTAL] -= done
    ladder[level, OWN] -= done
    meta[SIDE_TOTAL + side] -= done
    meta[SIDE_OWN + side] -= done
    return done


@inlined
def cancel(ladder, lots, meta, side, shares, limit):
    """Withdraw up to `shares` of the maker's own, best price first and no further than `limit`; returns how many."""
    done = np.int64(0)
    level = meta[BEST + side]
    step = -1 if side == BID else 1
    while shares > done and meta[SIDE_OWN + side] > 0:
        if (side == BID and level < limit) or (side == ASK and level > limit):
            break
        if ladder[level, OWN] > 0:
            done += _cancel_level(ladder, lots, meta, side, level, shares - done)
        level += step
    if done > 0:
        _find_best(ladder, meta, side)
    return done


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
        try:
            self._ladder = np.empty((self.high - self.low + 1, 4), np.int64)
        except (MemoryError, ValueError):  # a size that numpy has no room, or no number, for
            raise ValueError(
                f"low = {low} to high = {high} are more prices than memory can hold: bring them closer"
            ) from None
        self._lots = np.empty((1024, 3), np.int64)
        self._meta = np.empty(META, np.int64)
        clear(self._ladder, self._lots, self._meta, _one_of("priority", priority, {"time": TIME, "size": SIZE}))

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
        shares, limit = index(shares), index(limit)
        if shares < 1:
            raise ValueError(f"shares = {shares} is not allowed: at least one share can be withdrawn")
        return int(cancel(self._ladder, self._lots, self._meta, code, shares, limit - self.low))

    def best(self, side: str) -> tuple[int, int] | None:
        """Best price in ticks and the shares there, or None if the side is empty."""
        code = _one_of("side", side, {"bid": BID, "ask": ASK})
        if self._meta[SIDE_TOTAL + code] == 0:
            return None
        level = self._meta[BEST + code]
        return int(level + self.low), int(self._ladder[level, TOTAL])

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
        ladder = self._ladder
        return [(i + self.low, int(ladder[i, TOTAL]), int(ladder[i, OWN])) for i in rows if ladder[i, TOTAL]]

    def lots(self, price: int) -> list[tuple[int, str]]:
        """Lots at a price, first to be filled first, as (shares, owner)."""
        found: list[tuple[int, str]] = []
        if not self.low <= index(price) <= self.high:
            raise ValueError(f"price = {price} is not allowed: it must be in [{self.low}, {self.high}]")
        lot = self._ladder[price - self.low, HEAD]
        while lot >= 0:
            found.append((int(self._lots[lot, SHARES]), ("others", "maker")[self._lots[lot, OWNER]]))
            lot = self._lots[lot, NEXT]
        return found

    def _place(self, side: int, shares: int, price: int, owner: str) -> int:
        shares, price = index(shares), index(price)
        if shares < 1 or not self.low <= price <= self.high:
            raise ValueError(f"an order needs at least one share and a price in [{self.low}, {self.high}]")
        if self._meta[FRESH] == len(self._lots):
            self._lots = np.concatenate([self._lots, np.empty_like(self._lots)])
        code = _one_of("owner", owner, {"others": OTHERS, "maker": MAKER})
        taken, own, cash, own_cash, _ = place(
            self._ladder, self._lots, self._meta, side, price - self.low, shares, code
        )
        sign = 1 if side == BID else -1
        if code == MAKER:  # meets others: a trade; meets itself: both orders vanish
            own, own_cash, sign = taken - own, cash - own_cash, -sign
        self._book_fill(own, own_cash, sign)
        return int(taken)

    def _market(self, side: int, shares: int, limit: int) -> int:
        shares, limit = index(shares), index(limit)
        if shares < 1:
            raise ValueError(f"shares = {shares} is not allowed: a market order needs at least one share")
        taken, own, _, own_cash, _ = take(self._ladder, self._lots, self._meta, side, shares, limit - self.low)
        self._book_fill(own, own_cash, 1 if side == ASK else -1)
        return int(taken)

    def _book_fill(self, shares: int, level_cash: int, sign: int) -> None:
        """The maker sells (sign 1) or buys (sign -1) at the prices summed in `level_cash`."""
        self.cash += sign * int(level_cash + shares * self.low)
        self.inventory -= sign * int(shares)


def _one_of(what: str, given: str, allowed: dict[str, int]) -> int:
    """The code of a name."""
    if given not in allowed:
        raise ValueError(f"{what} = {given!r} is not allowed: it must be {' or '.join(map(repr, allowed))}")
    return allowed[given]
