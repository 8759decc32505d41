"""The maker's orders: what a decision changes in the queues, and how long it takes to get there."""

import math

import numpy as np

from mmrl.kernels.jit import called, inlined
from mmrl.kernels.random import uniform
from mmrl.markets.order_flow.arrivals import excite
from mmrl.markets.order_flow.checks import MOST_UNDER_WAY
from mmrl.markets.order_flow.queues import ANY_PRICE, add, outwards, take, withdraw
from mmrl.markets.order_flow.signals import note_trade, settle
from mmrl.markets.order_flow.state import (
    ASK,
    BEST,
    BID,
    INVENTORY,
    MAKER,
    NEW,
    NEWEST,
    NOW,
    OLDEST,
    OWN,
    OWN_PRICE,
    SENT,
    UNDER_WAY,
)

MAX_SHARES = 1_000_000
EFFECT = 6
"""Column of State.under_way: when the decision takes effect."""


@inlined
def _shares(n):
    """Whole shares of a number; none where it is below one half or not a number."""
    return np.int64(math.floor(min(n, MAX_SHARES) + 0.5)) if n >= 0.5 else np.int64(0)


@inlined
def _price(p, s, side, delta):
    """The price a distance (currency) away from the best of a side or from the mid, rounded outwards from the mid."""
    out = outwards(side)
    ticks = min(max(delta / p.rules.tick, -p.rules.reach), p.rules.reach)
    if p.rules.from_mid:  # the margin keeps 0.29 / 0.01 = 28.999... on its own tick
        from_mid = 0.5 * (s.book.meta[BEST + BID] + s.book.meta[BEST + ASK]) + out * ticks
        return np.int64(out * math.ceil(out * from_mid - 1e-7))
    return s.book.meta[BEST + side] + out * np.int64(math.floor(ticks + 0.5))


@inlined
def _target(p, s, side, n, delta):
    """Shares and price of the quote that a decision asks for; no shares where the position limit could be passed."""
    shares = _shares(n) if delta == delta else np.int64(0)
    sign = -outwards(side)
    if sign * s.book.account[INVENTORY] + shares > p.rules.position_limit:
        shares = np.int64(0)
    price = _price(p, s, side, delta) if shares > 0 else np.int64(0)
    if p.rules.post_only:
        out, limit = outwards(side), s.book.meta[BEST + 1 - side] + outwards(side)
        price = limit if (price - limit) * out < 0 else price
    return shares, price


@inlined
def _keep(p, s, side, shares, price):
    """Withdraw what a decision no longer wants; returns the shares that it asks for anew.

    An order left alone or reduced keeps its place.
    """
    slot = s.book.meta[OWN + side]
    if slot < 0:
        return shares
    size = s.orders[slot].shares
    if shares == 0 or s.book.meta[OWN_PRICE + side] != price or shares > size:
        withdraw(s, side, s.book.meta[OWN_PRICE + side], slot, size)
        return shares
    if shares < size:
        withdraw(s, side, price, slot, size - shares)
    return np.int64(0)


@inlined
def _market(p, s, side, n):
    """A market order of the maker that hits a side, unless it could pass the position limit."""
    shares, sign = _shares(n), outwards(side)
    if shares == 0 or sign * s.book.account[INVENTORY] + shares > p.rules.position_limit:
        return
    taken = take(s, side, shares, ANY_PRICE[side], MAKER)
    if taken > 0:
        note_trade(s, side, taken)
        excite(p, s, side)
    settle(s)


@inlined
def _rest(p, s, side, shares, price):
    """A limit order of the maker: what it can trade at once is traded, the rest stands at the back of its queue."""
    if shares == 0:
        return
    taken = np.int64(0)
    if not p.rules.post_only:
        taken = take(s, 1 - side, shares, price, MAKER)
        if taken > 0:
            note_trade(s, 1 - side, taken)
            excite(p, s, 1 - side)
    if taken < shares:
        add(s, side, price, shares - taken, MAKER)
    settle(s)


@inlined
def apply(p, s, quote):
    """A decision (n_b, delta_b, n_a, delta_a[, n_buy, n_sell]) in shares and currency takes effect.

    First its market orders, to buy and to sell; then what rests is compared with what is wanted, the bid first.
    """
    if p.rules.takes:
        _market(p, s, ASK, quote[4])
        _market(p, s, BID, quote[5])
    bids, bid = _target(p, s, BID, quote[0], quote[1])
    asks, ask = _target(p, s, ASK, quote[2], quote[3])
    if bids > 0 and asks > 0 and ask <= bid:
        ask = bid + 1
    bids = _keep(p, s, BID, bids, bid)
    asks = _keep(p, s, ASK, asks, ask)
    _rest(p, s, BID, bids, bid)
    _rest(p, s, ASK, asks, ask)


@called
def withdraw_all(s):
    """The maker's orders leave the book."""
    for side in range(2):
        slot = s.book.meta[OWN + side]
        if slot >= 0:
            withdraw(s, np.int64(side), s.book.meta[OWN_PRICE + side], slot, s.orders[slot].shares)
    settle(s)


@called
def close(p, s):
    """The maker withdraws its orders and closes its position by a market order, as far as the book goes.

    By this it moves the mid itself, which is no adverse selection of the fills before it.
    """
    s.book.meta[OLDEST] = s.book.meta[NEWEST]
    withdraw_all(s)
    held = s.book.account[INVENTORY]
    if held != 0:
        side = BID if held > 0 else ASK
        taken = take(s, side, abs(held), ANY_PRICE[side], MAKER)
        if taken > 0:
            note_trade(s, side, taken)
            excite(p, s, side)
        settle(s)


@inlined
def send(s, quote):
    """A decision sets out; at most `MOST_UNDER_WAY` are under way, one more is lost."""
    at = s.book.meta[UNDER_WAY]
    if at < MOST_UNDER_WAY:
        for a in range(quote.shape[0]):
            s.book.under_way[at, a] = quote[a]
        s.book.meta[UNDER_WAY] = at + 1
        s.book.meta[NEW] = 1


@inlined
def schedule(p, s, rng):
    """Draw when the newest decision takes effect: none overtakes another."""
    if s.book.meta[NEW]:
        delay = p.rules.latency
        if p.rules.latency_drawn:
            delay *= -math.log(1.0 - uniform(rng))
        s.book.times[SENT] = max(s.book.times[SENT], s.book.times[NOW] + delay)
        s.book.under_way[s.book.meta[UNDER_WAY] - 1, EFFECT] = s.book.times[SENT]
        s.book.meta[NEW] = 0


@inlined
def next_effect(s):
    """When the oldest decision under way takes effect."""
    return s.book.under_way[0, EFFECT] if s.book.meta[UNDER_WAY] > 0 else math.inf


@called
def arrive(p, s):
    """The oldest decision under way takes effect."""
    apply(p, s, s.book.under_way[0])
    left = s.book.meta[UNDER_WAY] - 1
    for k in range(left):
        for a in range(EFFECT + 1):
            s.book.under_way[k, a] = s.book.under_way[k + 1, a]
    s.book.meta[UNDER_WAY] = left
