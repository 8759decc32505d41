"""What is written down of a market: the tape of all messages, and the levels of the book at the maker's decisions."""

from typing import Any

import numpy as np

from mmrl.kernels.jit import called, inlined
from mmrl.markets.order_flow.state import (
    ASK,
    BEST,
    BID,
    COUNT,
    LIVE,
    NEXT_NUMBER,
    NOTED,
    NOW,
    OWN,
    OWN_COUNT,
    OWN_PRICE,
    STEP,
    TAPED,
)

SUBMIT: Any = np.int64(1)
REDUCE: Any = np.int64(2)
DELETE: Any = np.int64(3)
EXECUTE: Any = np.int64(4)
"""Types of messages, as LOBSTER numbers them."""
TIME, KIND, ORDER, SIZE, PRICE, DIRECTION, OWNER, LEVELS = range(8)
"""Columns of the tape: minutes, type, number of the resting order, shares, its price in ticks, 1 for a bid and -1 for
an ask, whose it is (0 others', 1 the maker's, 2 others', executed by the maker); then the best levels after it, each as
(ask price, shares, bid price, shares)."""
LOWER_HALF: Any = np.int64(2**32 - 1)
"""Of a number of 64 bits."""
NO_ASK = 9_999_999_999
"""The price of an ask level that does not exist, as LOBSTER writes it; of a bid level its negative."""


@inlined
def own_at(s, side, price):
    """Shares and orders of the maker at a price of a side."""
    shares, orders = np.int64(0), np.int64(0)
    for j in range(s.book.meta[OWN_COUNT + side]):
        slot = s.book.own[side, j]
        if s.book.own_price[slot] == price:
            shares += s.orders[slot].shares
            orders += 1
    return shares, orders


@inlined
def message(s, kind, slot, shares, price, side_and_owner):
    """Append a message about an order to the tape if one runs, once the book is as it is after it.

    `side_and_owner` is side + 2 * owner. What finds no room is left out, and counted in meta[TAPED].
    """
    if s.tape.shape[0] > 0 and s.book.meta[LIVE]:
        _write(s, kind, np.int64(slot), shares, price, side_and_owner)


@inlined
def _number(s, slot):
    """The number of an order, of which only the lower half is kept: the newest that ends like this."""
    newest = s.book.meta[NEXT_NUMBER]
    return newest - ((newest - s.orders[slot].number) & LOWER_HALF)


@called
def _write(s, kind, slot, shares, price, side_and_owner):
    at = s.book.meta[TAPED]
    s.book.meta[TAPED] = at + 1
    if at >= s.tape.shape[0]:
        return
    out = s.tape[at]
    out[KIND] = kind
    out[ORDER] = _number(s, slot)
    out[SIZE] = shares
    out[PRICE] = price
    out[DIRECTION] = 1 - 2 * (side_and_owner & 1)
    out[OWNER] = side_and_owner >> 1
    out[TIME] = s.book.times[NOW]
    for side in range(2):
        _write_levels(s, out, side)


@inlined
def _write_levels(s, out, side):
    """Write the best levels of a side."""
    outwards = 2 * side - 1
    mine = s.book.meta[OWN_COUNT + side]
    price = s.book.meta[BEST + side]
    if mine > 0 and (s.book.meta[OWN_PRICE + side] - price) * outwards < 0:
        price = s.book.meta[OWN_PRICE + side]
    left = s.book.meta[COUNT + side]
    for level in range((out.shape[0] - LEVELS) // 4):
        column = LEVELS + 4 * level + 2 * (1 - side)
        out[column], out[column + 1] = NO_ASK * outwards, 0
        while left > 0 or mine > 0:
            row = price & (s.levels.shape[0] - 1)
            there = s.levels[row].price == price and s.levels[row].shares > 0
            if there:
                out[column], out[column + 1] = price, s.levels[row].shares
                left -= s.levels[row].orders
                mine -= own_at(s, side, price)[1]
            price += outwards
            if there:
                break


@called
def note_levels(p, s):
    """Append (step, price, shares, the maker's own) to the recording for every level that is no longer as known.

    Prices count from the first mid, shares to sell below zero. What finds no room is left out, and noticed by whoever
    asked for the recording.
    """
    for row in range(p.rules.rows):
        price, shares = s.levels[row].price, s.levels[row].shares
        own = own_at(s, BID, price)[0] + own_at(s, ASK, price)[0]
        bids = price <= s.book.meta[BEST + BID] or (
            s.book.meta[OWN + BID] >= 0 and price <= s.book.meta[OWN_PRICE + BID]
        )
        shares = shares if bids else -shares
        if s.known[row, 0] != price:
            if s.known[row, 1] != 0:
                _note(p, s, s.known[row, 0], np.int64(0), np.int64(0))
            s.known[row, 0], s.known[row, 1], s.known[row, 2] = price, 0, 0
        if s.known[row, 1] != shares or s.known[row, 2] != own:
            s.known[row, 1], s.known[row, 2] = shares, own
            _note(p, s, price, shares, own)


@inlined
def _note(p, s, price, shares, own):
    at = s.book.meta[NOTED]
    if at < p.changes.shape[0]:
        p.changes[at, 0] = s.book.meta[STEP]
        p.changes[at, 1] = price - p.rules.mid  # int32, which a price may be beyond
        p.changes[at, 2] = shares
        p.changes[at, 3] = own
    s.book.meta[NOTED] = at + 1
