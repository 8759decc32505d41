"""The book: a queue of orders at every price, first come first served, each order in its place.

A price stands in row `price & (rows - 1)` of the levels: a ring that follows the market wherever it goes. Orders are
links of a chain both ways, so that any of them can leave. `BEST` is the best price of the *others*; a side on which
they have none counts as if they stood a tick beyond their last price. The maker's orders have rows of their own
(`OWNED`), so that any order tells whose it is.
"""

import numpy as np

from mmrl.kernels.account import Overfull
from mmrl.kernels.jit import called, inlined
from mmrl.markets.order_flow.settings import MOST_EXPONENTIALS, MOST_HORIZONS, MOST_QUOTES
from mmrl.markets.order_flow.state import (
    ACCOUNT,
    ASK,
    BEST,
    BID,
    BOUGHT,
    BOUGHT_TAKING,
    CASH,
    CHANGED,
    COUNT,
    DRIFT,
    EVENTS,
    FILLED,
    FILLED_AT,
    FILLS,
    FLOW,
    FREE,
    FRESH,
    INVENTORY,
    MADE,
    MAKER,
    META,
    MOVE,
    NEWEST,
    NEXT_NUMBER,
    NOWHERE,
    OLDEST,
    OTHERS,
    OWN,
    OWN_COUNT,
    OWN_PRICE,
    OWNED,
    PAID,
    RECEIVED,
    SOLD,
    SOLD_TAKING,
    TAKEN,
    TIMES,
)
from mmrl.markets.order_flow.tape import DELETE, EXECUTE, LOWER_HALF, REDUCE, SUBMIT, message, own_at

ANY_PRICE = np.array([-(2**61), 2**61])
"""The worst prices at which a market order hits bids and asks: none is too bad."""


@inlined
def clear(s, mid):
    """Empty the book; others count as if they stood at the mid and a tick above it."""
    for row in range(s.levels.shape[0]):
        s.levels[row].price = NOWHERE
        s.levels[row].shares = 0
        s.levels[row].orders = 0
    for i in range(META):
        s.book.meta[i] = 0
    for i in range(ACCOUNT):
        s.book.account[i] = 0
    for i in range(TIMES):
        s.book.times[i] = 0.0
    for h in range(MOST_HORIZONS):
        s.book.signals[h, FLOW] = 0.0
        s.book.signals[h, MOVE] = 0.0
    for e in range(MOST_EXPONENTIALS):
        for kind in range(DRIFT):
            s.book.excitation[kind, e] = 0.0
    for slot in range(OWNED):
        s.orders[slot].shares = 0
    s.book.meta[BEST + BID] = mid
    s.book.meta[BEST + ASK] = mid + 1
    s.book.meta[OWN + BID] = -1
    s.book.meta[OWN + ASK] = -1
    s.book.meta[FREE] = -1
    s.book.meta[FRESH] = OWNED
    s.book.meta[CHANGED + BID] = 1
    s.book.meta[CHANGED + ASK] = 1


@inlined
def outwards(side):
    """The direction away from the other side: -1 for bids, 1 for asks."""
    return 2 * side - 1


@inlined
def best(s, side):
    """Best price of a side, the maker's orders included."""
    price = s.book.meta[BEST + side]
    if s.book.meta[OWN + side] >= 0:
        own = s.book.meta[OWN_PRICE + side]
        price = max(price, own) if side == BID else min(price, own)
    return price


@inlined
def shares_at(s, price):
    """All shares at a price."""
    row = price & (s.levels.shape[0] - 1)
    return s.levels[row].shares if s.levels[row].price == price else np.int64(0)


@inlined
def others_at(s, side, price):
    """Shares of others at a price of a side."""
    return shares_at(s, price) - own_at(s, side, price)[0]


@inlined
def shares_of(s, slot):
    """Shares of an order."""
    return np.int64(s.orders[slot].shares)


@inlined
def shares_ahead(s, slot):
    """Shares that stand before an order in its queue."""
    ahead = np.int64(0)
    slot = s.orders[slot].previous
    while slot >= 0:
        ahead += s.orders[slot].shares
        slot = s.orders[slot].previous
    return ahead


@inlined
def _first_own(s, side):
    """Keep the first of the maker's orders where the best price is looked up."""
    slot = s.book.own[side, 0] if s.book.meta[OWN_COUNT + side] > 0 else np.int64(-1)
    s.book.meta[OWN + side] = slot
    if slot >= 0:
        s.book.meta[OWN_PRICE + side] = s.book.own_price[slot]


@inlined
def _own_row(s, side, price):
    """A free row of the maker's, put in its place among the others: by price, then by time."""
    slot = side * MOST_QUOTES
    while s.orders[slot].shares > 0:
        slot += 1
    s.book.own_price[slot] = price
    at = s.book.meta[OWN_COUNT + side]
    while at > 0 and (price - s.book.own_price[s.book.own[side, at - 1]]) * outwards(side) < 0:
        s.book.own[side, at] = s.book.own[side, at - 1]
        at -= 1
    s.book.own[side, at] = slot
    s.book.meta[OWN_COUNT + side] += 1
    _first_own(s, side)
    return slot


@called
def _own_leaves(s, side, slot):
    """An order of the maker has no share left."""
    at = 0
    while s.book.own[side, at] != slot:
        at += 1
    s.book.meta[OWN_COUNT + side] -= 1
    for j in range(at, s.book.meta[OWN_COUNT + side]):
        s.book.own[side, j] = s.book.own[side, j + 1]
    _first_own(s, side)


@inlined
def _others_row(s):
    slot = s.book.meta[FREE]
    if slot >= 0:
        s.book.meta[FREE] = s.orders[slot].next
    else:
        slot = s.book.meta[FRESH]
        if slot >= s.orders.shape[0]:
            raise Overfull("more orders rest than the market has room for: raise the rates of cancellations")
        s.book.meta[FRESH] = slot + 1
    return slot


@called
def withdraw_price(s, side, price):
    """Delete all that rests at a price."""
    row = price & (s.levels.shape[0] - 1)
    if s.levels[row].price == price:
        _withdraw_level(s, row, side)


@called
def _withdraw_level(s, row, side):
    """Delete all that still rests at the price of a row."""
    price = s.levels[row].price
    while s.levels[row].shares > 0:
        slot = s.levels[row].head
        withdraw(s, side, price, slot, shares_of(s, slot))


@inlined
def place(s, side, price, size, owner):
    """`add`, for the loop of events: a call passes the arrays of the state one word after another."""
    row = price & (s.levels.shape[0] - 1)
    if s.levels[row].price != price:
        if s.levels[row].shares > 0:
            # what rests a turn of the ring away from where the market now is
            _withdraw_level(s, row, ASK if s.levels[row].price > price else BID)
        s.levels[row].price = price
        s.levels[row].head = -1
        s.levels[row].tail = -1
    slot = _own_row(s, side, price) if owner == MAKER else _others_row(s)
    s.orders[slot].shares = size
    s.orders[slot].next = -1
    s.orders[slot].number = s.book.meta[NEXT_NUMBER] & LOWER_HALF
    s.book.meta[NEXT_NUMBER] += 1
    tail = s.levels[row].tail
    s.orders[slot].previous = tail
    if tail >= 0:
        s.orders[tail].next = slot
    else:
        s.levels[row].head = slot
    s.levels[row].tail = slot
    s.levels[row].shares += size
    s.book.meta[CHANGED + side] = 1
    if owner == OTHERS:
        s.levels[row].orders += 1
        if s.book.meta[COUNT + side] == 0 or (price - s.book.meta[BEST + side]) * outwards(side) < 0:
            s.book.meta[BEST + side] = price
        s.book.meta[COUNT + side] += 1
    message(s, SUBMIT, slot, size, price, side + 2 * owner)


@called
def add(s, side, price, size, owner):
    """A new order at the back of its queue."""
    place(s, side, price, size, owner)


@inlined
def _others_stand(s, price):
    row = price & (s.levels.shape[0] - 1)
    return s.levels[row].price == price and s.levels[row].orders > 0


@inlined
def _find_best(s, side):
    price = s.book.meta[BEST + side] + outwards(side)
    if s.book.meta[COUNT + side] > 0:
        while (
            s.levels[price & (s.levels.shape[0] - 1)].price != price
            or s.levels[price & (s.levels.shape[0] - 1)].orders == 0
        ):
            price += outwards(side)
    s.book.meta[BEST + side] = price


@inlined
def _shrink(s, side, price, slot, shares):
    """Shares leave an order of a side, and the order its queue when none is left."""
    row = price & (s.levels.shape[0] - 1)
    s.levels[row].shares -= shares
    s.book.meta[CHANGED + side] = 1
    s.orders[slot].shares -= shares
    if s.orders[slot].shares > 0:
        return
    before, behind = s.orders[slot].previous, s.orders[slot].next
    if before >= 0:
        s.orders[before].next = behind
    else:
        s.levels[row].head = behind
    if behind >= 0:
        s.orders[behind].previous = before
    else:
        s.levels[row].tail = before
    if slot < OWNED:
        _own_leaves(s, side, slot)
        return
    s.orders[slot].next = s.book.meta[FREE]
    s.book.meta[FREE] = slot
    s.levels[row].orders -= 1
    s.book.meta[COUNT + side] -= 1
    if s.levels[row].orders == 0 and price == s.book.meta[BEST + side]:
        _find_best(s, side)


@inlined
def remove(s, side, price, slot, shares):
    """`withdraw`, for the loop of events."""
    owner = MAKER if slot < OWNED else OTHERS
    whole = shares == s.orders[slot].shares
    _shrink(s, side, price, slot, shares)
    message(s, DELETE if whole else REDUCE, slot, shares, price, side + 2 * owner)


@called
def withdraw(s, side, price, slot, shares):
    """Cancel shares of an order; what is left of it keeps its place."""
    remove(s, side, price, slot, shares)


@inlined
def _note_fill(s, shares):
    """Remember shares of a resting order that were bought (below 0: sold) while the moves of the mid are counted."""
    event, newest = s.book.meta[EVENTS], s.book.meta[NEWEST]
    if newest > s.book.meta[OLDEST] and s.book.fills[(newest - 1) & (FILLS - 1), FILLED_AT] == event:
        s.book.fills[(newest - 1) & (FILLS - 1), FILLED] += shares
        return
    if newest - s.book.meta[OLDEST] == FILLS:
        s.book.meta[OLDEST] += 1
    s.book.fills[newest & (FILLS - 1), FILLED_AT] = event
    s.book.fills[newest & (FILLS - 1), FILLED] = shares
    s.book.meta[NEWEST] = newest + 1


@inlined
def _trade(s, side, shares, price, taking):
    """The maker buys (side BID) or sells (side ASK), its order resting or `taking` (OTHERS or MAKER came)."""
    ticks = shares * price
    if not taking:
        _note_fill(s, shares * -outwards(side))
    s.book.account[TAKEN if taking else MADE] += shares
    if side == BID:
        s.book.account[CASH] -= ticks
        s.book.account[INVENTORY] += shares
        s.book.account[BOUGHT] += shares
        s.book.account[PAID] += ticks
        s.book.account[BOUGHT_TAKING] += shares * taking
    else:
        s.book.account[CASH] += ticks
        s.book.account[INVENTORY] -= shares
        s.book.account[SOLD] += shares
        s.book.account[RECEIVED] += ticks
        s.book.account[SOLD_TAKING] += shares * taking


@inlined
def match(s, side, shares, limit, taker):
    """`take`, for the loop of events."""
    left = shares
    while left > 0 and (s.book.meta[COUNT + side] > 0 or s.book.meta[OWN + side] >= 0):
        price = best(s, side) if s.book.meta[COUNT + side] > 0 else s.book.meta[OWN_PRICE + side]
        if (price - limit) * outwards(side) > 0:
            break
        slot = s.levels[price & (s.levels.shape[0] - 1)].head
        own = slot < OWNED
        if own and taker == MAKER:
            withdraw(s, side, price, slot, shares_of(s, slot))
            continue
        k = min(shares_of(s, slot), left)
        left -= k
        if own:
            _trade(s, side, k, price, OTHERS)
        elif taker == MAKER:
            _trade(s, 1 - side, k, price, MAKER)
        _shrink(s, side, price, slot, k)
        message(s, EXECUTE, slot, k, price, side + (2 if own else 4 * taker))
    return shares - left


@called
def take(s, side, shares, limit, taker):
    """Trade up to `shares` against a side, best price and first order first, no worse than `limit`; returns how many.

    An order of the maker that the maker itself meets is withdrawn.
    """
    return match(s, side, shares, limit, taker)
