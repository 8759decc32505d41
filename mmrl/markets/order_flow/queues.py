"""The book: a queue of orders at every price, first come first served, each order in its place.

A price stands in row `price & (levels - 1)` of the levels: a ring that follows the market wherever it goes. Orders are links of
a chain both ways, so that any of them can leave. `BEST` is the best price of the *others*; a side on which they have
none counts as if they stood a tick beyond their last price. The maker has one order a side at most.
"""

import numpy as np

from mmrl.kernels.jit import called, inlined
from mmrl.markets.order_flow.state import (
    ACCOUNT,
    ASK,
    BEST,
    BID,
    BOUGHT,
    BOUGHT_TAKING,
    CASH,
    COUNT,
    FREE,
    FRESH,
    HEAD,
    INVENTORY,
    MADE,
    META,
    NEXT,
    NEXT_NUMBER,
    NOWHERE,
    NUMBER,
    ORDERS,
    OWN,
    OWN_PRICE,
    PAID,
    PREVIOUS,
    PRICE,
    RECEIVED,
    SHARES,
    SIZE,
    SOLD,
    SOLD_TAKING,
    TAIL,
    TAKEN,
)
from mmrl.markets.order_flow.tape import DELETE, EXECUTE, REDUCE, SUBMIT, message

ANY_PRICE = np.array([-(2**61), 2**61])
"""The worst prices at which a market order hits bids and asks: none is too bad."""


@inlined
def clear(b, mid):
    """Empty the book; others count as if they stood at the mid and a tick above it."""
    for row in range(b.levels.shape[0]):
        b.levels[row, PRICE] = NOWHERE
        b.levels[row, SHARES] = 0
        b.levels[row, ORDERS] = 0
    for i in range(META):
        b.meta[i] = 0
    for i in range(ACCOUNT):
        b.account[i] = 0
    b.meta[BEST + BID] = mid
    b.meta[BEST + ASK] = mid + 1
    b.meta[OWN + BID] = -1
    b.meta[OWN + ASK] = -1
    b.meta[FREE] = -1


@inlined
def outwards(side):
    """The direction away from the other side: -1 for bids, 1 for asks."""
    return 2 * side - 1


@inlined
def best(b, side):
    """Best price of a side, the maker's order included."""
    price = b.meta[BEST + side]
    if b.meta[OWN + side] >= 0:
        own = b.meta[OWN_PRICE + side]
        price = max(price, own) if side == BID else min(price, own)
    return price


@inlined
def shares_at(b, price):
    """All shares at a price."""
    row = price & (b.levels.shape[0] - 1)
    return b.levels[row, SHARES] if b.levels[row, PRICE] == price else np.int64(0)


@inlined
def others_at(b, side, price):
    """Shares of others at a price of a side."""
    shares = shares_at(b, price)
    if b.meta[OWN + side] >= 0 and b.meta[OWN_PRICE + side] == price:
        shares -= b.orders[b.meta[OWN + side], SIZE]
    return shares


@inlined
def shares_ahead(b, side):
    """Shares that stand before the maker's order in its queue; 0 where it has none."""
    ahead = np.int64(0)
    slot = b.meta[OWN + side]
    if slot >= 0:
        slot = b.orders[slot, PREVIOUS]
    while slot >= 0:
        ahead += b.orders[slot, SIZE]
        slot = b.orders[slot, PREVIOUS]
    return ahead


@inlined
def _new_order(b, size):
    slot = b.meta[FREE]
    if slot >= 0:
        b.meta[FREE] = b.orders[slot, NEXT]
    else:
        slot = b.meta[FRESH]
        if slot >= b.orders.shape[0]:
            raise MemoryError("more orders rest than there is room for")
        b.meta[FRESH] = slot + 1
    b.orders[slot, SIZE] = size
    b.orders[slot, NEXT] = -1
    b.orders[slot, NUMBER] = b.meta[NEXT_NUMBER]
    b.meta[NEXT_NUMBER] += 1
    return slot


@called
def _withdraw_level(b, row, side):
    """Delete all that still rests at the price of a row, a turn of the ring away from where the market now is."""
    price = b.levels[row, PRICE]
    while b.levels[row, SHARES] > 0:
        slot = b.levels[row, HEAD]
        withdraw(b, side, price, slot, b.orders[slot, SIZE])


@called
def add(b, side, price, size, own):
    """A new order at the back of its queue."""
    row = price & (b.levels.shape[0] - 1)
    if b.levels[row, PRICE] != price:
        if b.levels[row, SHARES] > 0:
            _withdraw_level(b, row, ASK if b.levels[row, PRICE] > price else BID)
        b.levels[row, PRICE] = price
        b.levels[row, HEAD] = -1
        b.levels[row, TAIL] = -1
    slot = _new_order(b, size)
    tail = b.levels[row, TAIL]
    b.orders[slot, PREVIOUS] = tail
    if tail >= 0:
        b.orders[tail, NEXT] = slot
    else:
        b.levels[row, HEAD] = slot
    b.levels[row, TAIL] = slot
    b.levels[row, SHARES] += size
    if own:
        b.meta[OWN + side] = slot
        b.meta[OWN_PRICE + side] = price
    else:
        b.levels[row, ORDERS] += 1
        if b.meta[COUNT + side] == 0 or (price - b.meta[BEST + side]) * outwards(side) < 0:
            b.meta[BEST + side] = price
        b.meta[COUNT + side] += 1
    message(b, SUBMIT, b.orders[slot, NUMBER], size, price, side + 2 * own)


@inlined
def _find_best(b, side):
    price = b.meta[BEST + side] + outwards(side)
    if b.meta[COUNT + side] > 0:
        while b.levels[price & (b.levels.shape[0] - 1), PRICE] != price or b.levels[price & (b.levels.shape[0] - 1), ORDERS] == 0:
            price += outwards(side)
    b.meta[BEST + side] = price


@inlined
def _shrink(b, side, price, slot, shares):
    """Shares leave an order of a side, and the order its queue when none is left."""
    row = price & (b.levels.shape[0] - 1)
    b.levels[row, SHARES] -= shares
    b.orders[slot, SIZE] -= shares
    if b.orders[slot, SIZE] > 0:
        return
    before, behind = b.orders[slot, PREVIOUS], b.orders[slot, NEXT]
    if before >= 0:
        b.orders[before, NEXT] = behind
    else:
        b.levels[row, HEAD] = behind
    if behind >= 0:
        b.orders[behind, PREVIOUS] = before
    else:
        b.levels[row, TAIL] = before
    b.orders[slot, NEXT] = b.meta[FREE]
    b.meta[FREE] = slot
    if slot == b.meta[OWN + side]:
        b.meta[OWN + side] = -1
        return
    b.levels[row, ORDERS] -= 1
    b.meta[COUNT + side] -= 1
    if b.levels[row, ORDERS] == 0 and price == b.meta[BEST + side]:
        _find_best(b, side)


@called
def withdraw(b, side, price, slot, shares):
    """Cancel shares of an order; what is left of it keeps its place."""
    own = 1 if slot == b.meta[OWN + side] else 0
    number, whole = b.orders[slot, NUMBER], shares == b.orders[slot, SIZE]
    _shrink(b, side, price, slot, shares)
    message(b, DELETE if whole else REDUCE, number, shares, price, side + 2 * own)


@inlined
def _trade(b, side, shares, price, taking):
    """The maker buys (side BID) or sells (side ASK)."""
    ticks = shares * price
    b.account[TAKEN if taking else MADE] += shares
    if side == BID:
        b.account[CASH] -= ticks
        b.account[INVENTORY] += shares
        b.account[BOUGHT] += shares
        b.account[PAID] += ticks
        b.account[BOUGHT_TAKING] += shares * taking
    else:
        b.account[CASH] += ticks
        b.account[INVENTORY] -= shares
        b.account[SOLD] += shares
        b.account[RECEIVED] += ticks
        b.account[SOLD_TAKING] += shares * taking


@called
def take(b, side, shares, limit, by_maker):
    """Trade up to `shares` against a side, best price and first order first, no worse than `limit`; returns how many.

    An order of the maker that the maker itself meets is withdrawn.
    """
    left = shares
    while left > 0 and (b.meta[COUNT + side] > 0 or b.meta[OWN + side] >= 0):
        price = best(b, side) if b.meta[COUNT + side] > 0 else b.meta[OWN_PRICE + side]
        if (price - limit) * outwards(side) > 0:
            break
        slot = b.levels[price & (b.levels.shape[0] - 1), HEAD]
        own = slot == b.meta[OWN + side]
        if own and by_maker:
            withdraw(b, side, price, slot, b.orders[slot, SIZE])
            continue
        k = min(b.orders[slot, SIZE], left)
        left -= k
        if own:
            _trade(b, side, k, price, 0)
        elif by_maker:
            _trade(b, 1 - side, k, price, 1)
        number = b.orders[slot, NUMBER]
        _shrink(b, side, price, slot, k)
        message(b, EXECUTE, number, k, price, side + (2 if own else 4 * by_maker))
    return shares - left
