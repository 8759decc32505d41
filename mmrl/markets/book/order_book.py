"""Order book over a dense price ladder: integer ticks, linked lists of lots, O(1) best quotes.

Compiled functions work on the arrays of a `Book`, or of a market's state that has the same ones.
"""

from operator import index
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.account import Overfull
from mmrl.kernels.bits import lowest_bit, zeros_above
from mmrl.kernels.jit import inlined, record_type

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
MOST = np.int64(2**31 - 1)
"""Shares that can rest at a level: half the memory of 64 bits, which eight books beside each other notice."""
ALL_SHARES = 2**62
"""More than a book holds."""
_ONE, _ALL = np.uint64(1), ~np.uint64(0)


class Book(NamedTuple):
    """A book of L levels with room for N lots."""

    ladder: np.ndarray  # int32 [L, 4]: shares, the maker's own, first lot, last lot and its owner (`_with_owner`), of
    # bids or asks, never of both
    lots: np.ndarray  # int32 [N, 3], the pool of lots: shares, owner, next lot
    held: np.ndarray  # uint64 [L / 64], a bit for each level that holds shares
    core: Any  # a record with `meta` int64 [META], the rest


@inlined
def words(levels):
    """Words of `Book.held` for so many levels."""
    return levels // 64 + 1


@inlined
def clear(b, priority):
    """Empty the book."""
    for i in range(b.ladder.shape[0]):
        b.ladder[i, TOTAL] = 0
        b.ladder[i, OWN] = 0
        b.ladder[i, HEAD] = -1
        b.ladder[i, TAIL] = -1
    b.held[:] = 0
    b.core.meta[:] = 0
    b.core.meta[BEST + BID] = -1
    b.core.meta[BEST + ASK] = b.ladder.shape[0]
    b.core.meta[FREE] = -1
    b.core.meta[PRIORITY] = priority


@inlined
def _new_lot(b, shares, owner):
    lot = b.core.meta[FREE]
    if lot >= 0:
        b.core.meta[FREE] = b.lots[lot, NEXT]
    else:
        lot = b.core.meta[FRESH]
        if lot >= b.lots.shape[0]:
            raise Overfull("the pool of lots is full")
        b.core.meta[FRESH] = lot + 1
    b.lots[lot, SHARES] = shares
    b.lots[lot, OWNER] = owner
    b.lots[lot, NEXT] = -1
    return lot


@inlined
def _with_owner(lot, owner):
    """A last lot as levels name it: whoever wants to join it need not wait for memory to know whose it is."""
    return 2 * lot + owner


@inlined
def _link(b, level, lot, owner):
    """Insert a lot into its level: last under time priority, by size (smallest first) under size priority."""
    head = b.ladder[level, HEAD]
    if head < 0:
        b.ladder[level, HEAD] = lot
        b.ladder[level, TAIL] = _with_owner(lot, owner)
        return
    if b.core.meta[PRIORITY] == TIME:
        b.lots[b.ladder[level, TAIL] >> 1, NEXT] = lot
        b.ladder[level, TAIL] = _with_owner(lot, owner)
        return
    previous = np.int64(-1)
    while head >= 0 and b.lots[head, SHARES] <= b.lots[lot, SHARES]:
        previous = head
        head = b.lots[head, NEXT]
    b.lots[lot, NEXT] = head
    if previous < 0:
        b.ladder[level, HEAD] = lot
    else:
        b.lots[previous, NEXT] = lot
    if head < 0:
        b.ladder[level, TAIL] = _with_owner(lot, owner)


@inlined
def _unlink(b, level, lot, previous):
    after = b.lots[lot, NEXT]
    if previous < 0:
        b.ladder[level, HEAD] = after
    else:
        b.lots[previous, NEXT] = after
    if after < 0:
        b.ladder[level, TAIL] = _with_owner(previous, b.lots[previous, OWNER]) if previous >= 0 else -1
    b.lots[lot, NEXT] = -1


@inlined
def _free_lot(b, lot):
    b.lots[lot, NEXT] = b.core.meta[FREE]
    b.core.meta[FREE] = lot


@inlined
def _bit(level):
    return _ONE << np.uint64(level & 63)


@inlined
def _find_best(b, side):
    """Move the best quote of a side outwards to the next level that holds shares."""
    if b.core.meta[SIDE_TOTAL + side] == 0:
        b.core.meta[BEST + side] = -1 if side == BID else b.ladder.shape[0]
        return
    level = b.core.meta[BEST + side]
    at = level >> 6
    if side == BID:
        word = b.held[at] & (_ALL >> np.uint64(63 - (level & 63)))
        while word == 0:
            at -= 1
            word = b.held[at]
        b.core.meta[BEST + side] = 64 * at + 63 - zeros_above(word)
    else:
        word = b.held[at] & (_ALL << np.uint64(level & 63))
        while word == 0:
            at += 1
            word = b.held[at]
        b.core.meta[BEST + side] = 64 * at + lowest_bit(word)


@inlined
def rest(b, side, level, shares, owner):
    """Let shares rest at a level (the caller has matched them against the other side); it refuses what goes beyond
    `MOST`."""
    shares = min(shares, MOST - b.ladder[level, TOTAL])
    if shares <= 0:
        return
    tail = b.ladder[level, TAIL]
    if b.core.meta[PRIORITY] == TIME and tail >= 0 and tail & 1 == owner:
        b.lots[tail >> 1, SHARES] += shares
    else:
        _link(b, level, _new_lot(b, shares, owner), owner)
    b.ladder[level, TOTAL] += shares
    b.held[level >> 6] |= _bit(level)
    b.core.meta[SIDE_TOTAL + side] += shares
    if owner == MAKER:
        b.ladder[level, OWN] += shares
        b.core.meta[SIDE_OWN + side] += shares
    best = b.core.meta[BEST + side]
    b.core.meta[BEST + side] = max(level, best) if side == BID else min(level, best)


@inlined
def take(b, side, shares, limit):
    """Remove up to `shares` of a side, best first and no further than level `limit`.

    Returns shares taken, the maker's among them, the sum of level * shares for each of the two, and whole lots.
    """
    taken = own = cash = own_cash = whole = np.int64(0)
    while shares > 0 and b.core.meta[SIDE_TOTAL + side] > 0:
        level = b.core.meta[BEST + side]
        if (side == BID and level < limit) or (side == ASK and level > limit):
            break
        lot = b.ladder[level, HEAD]
        size = b.lots[lot, SHARES]
        k = min(size, shares)
        shares -= k
        taken += k
        cash += k * level
        b.ladder[level, TOTAL] -= k
        b.core.meta[SIDE_TOTAL + side] -= k
        if b.lots[lot, OWNER] == MAKER:
            own += k
            own_cash += k * level
            b.ladder[level, OWN] -= k
            b.core.meta[SIDE_OWN + side] -= k
        if k == size:
            whole += 1
            _unlink(b, level, lot, np.int64(-1))
            _free_lot(b, lot)
            if b.ladder[level, TOTAL] == 0:
                b.held[level >> 6] &= ~_bit(level)
                _find_best(b, side)
        else:
            b.lots[lot, SHARES] = size - k
    return taken, own, cash, own_cash, whole


@inlined
def place(b, side, level, shares, owner):
    """Place a limit order: what it meets on the other side is taken, the remainder rests; returns as `take`."""
    result = take(b, 1 - side, shares, level)
    if shares > result[0]:
        rest(b, side, level, shares - result[0], owner)
    return result


@inlined
def _cancel_level(b, side, level, shares):
    # Time priority gives up the newest lot first (it stands last), size priority the smallest.
    newest = b.core.meta[PRIORITY] == TIME
    left = min(shares, b.ladder[level, OWN])
    done = left
    while left > 0:
        lot = b.ladder[level, HEAD]
        before = np.int64(-1)
        found = np.int64(-1)
        found_before = np.int64(-1)
        while lot >= 0:
            if b.lots[lot, OWNER] == MAKER:
                found = lot
                found_before = before
                if not newest:
                    break
            before = lot
            lot = b.lots[lot, NEXT]
        size = b.lots[found, SHARES]
        if size <= left:
            left -= size
            _unlink(b, level, found, found_before)
            _free_lot(b, found)
        elif newest:
            b.lots[found, SHARES] = size - left
            left = 0
        else:  # the smaller remainder may now precede others' lots
            _unlink(b, level, found, found_before)
            b.lots[found, SHARES] = size - left
            _link(b, level, found, MAKER)
            left = 0
    b.ladder[level, TOTAL] -= done
    b.ladder[level, OWN] -= done
    if b.ladder[level, TOTAL] == 0:
        b.held[level >> 6] &= ~_bit(level)
    b.core.meta[SIDE_TOTAL + side] -= done
    b.core.meta[SIDE_OWN + side] -= done
    return done


@inlined
def cancel(b, side, shares, limit):
    """Withdraw up to `shares` of the maker's own, best price first and no further than `limit`; returns how many."""
    done = np.int64(0)
    level = b.core.meta[BEST + side]
    step = -1 if side == BID else 1
    while shares > done and b.core.meta[SIDE_OWN + side] > 0:
        if (side == BID and level < limit) or (side == ASK and level > limit):
            break
        if b.ladder[level, OWN] > 0:
            done += _cancel_level(b, side, level, shares - done)
        level += step
    if done > 0:
        _find_best(b, side)
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
