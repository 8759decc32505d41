"""Order book over a dense price ladder: integer ticks, linked lists of lots, O(1) best quotes.

Compiled functions work on the arrays of a `Book`, or of a market's state that has the same ones.
"""

from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.account import Overfull
from mmrl.kernels.bits import lowest_bit, zeros_above
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
MOST = np.int64(2**31 - 1)
"""Shares that can rest at a level: half the memory of 64 bits, which eight books beside each other notice."""
ONE, _ALL = np.uint64(1), ~np.uint64(0)


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
    return ONE << np.uint64(level & 63)


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
