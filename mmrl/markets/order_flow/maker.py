"""The maker's orders: what a decision changes in the queues, and how long it takes to get there."""

import math

import numpy as np

from mmrl.kernels.jit import called, inlined
from mmrl.kernels.random import uniform
from mmrl.markets.order_flow.arrivals import excite
from mmrl.markets.order_flow.checks import MOST_UNDER_WAY
from mmrl.markets.order_flow.queues import ANY_PRICE, add, best, outwards, shares_of, take, withdraw
from mmrl.markets.order_flow.signals import note_trade, settle
from mmrl.markets.order_flow.state import (
    ASK,
    BEST,
    BID,
    CANCEL,
    INVENTORY,
    LIMIT,
    MAKER,
    MARKET,
    NEW,
    NEWEST,
    NOW,
    NUMBERS_OF_A_DECISION,
    OLDEST,
    OWN_COUNT,
    PRICE,
    SENT,
    SHARES,
    UNDER_WAY,
)

MAX_SHARES = 1_000_000


@inlined
def _shares(n):
    """Whole shares of a number; none where it is below one half or not a number."""
    return np.int64(math.floor(min(n, MAX_SHARES) + 0.5)) if n >= 0.5 else np.int64(0)


@inlined
def _price(p, s, side, delta):
    """The price a distance (currency) away from the best of a side or from the mid, rounded outwards from the mid."""
    if p.rules.redraws:  # there is no other price
        return best(s, side)
    out = outwards(side)
    ticks = min(max(delta / p.rules.tick, -p.rules.reach), p.rules.reach)
    if p.rules.from_mid:  # the margin keeps 0.29 / 0.01 = 28.999... on its own tick
        from_mid = 0.5 * (s.book.meta[BEST + BID] + s.book.meta[BEST + ASK]) + out * ticks
        return np.int64(out * math.ceil(out * from_mid - 1e-7))
    return s.book.meta[BEST + side] + out * np.int64(math.floor(ticks + 0.5))


@inlined
def _target(p, s, side, n, delta, before):
    """Shares and price of a quote that a decision asks for, after `before` shares of other quotes of its side.

    No shares where the position limit could be passed.
    """
    shares = _shares(n) if delta == delta else np.int64(0)
    sign = -outwards(side)
    if sign * s.book.account[INVENTORY] + before + shares > p.rules.position_limit:
        shares = np.int64(0)
    price = _price(p, s, side, delta) if shares > 0 else np.int64(0)
    if p.rules.post_only:
        out, limit = outwards(side), s.book.meta[BEST + 1 - side] + outwards(side)
        price = limit if (price - limit) * out < 0 else price
    return shares, price


@inlined
def _want(p, s, side, quote):
    """Write down what a decision wants to rest on a side; returns its best price, or one that is out of reach."""
    before, first = np.int64(0), ANY_PRICE[side]
    for k in range(p.rules.quotes):
        shares, price = _target(p, s, side, quote[4 * k + 2 * side], quote[4 * k + 2 * side + 1], before)
        s.book.wanted[side, k, SHARES], s.book.wanted[side, k, PRICE] = shares, price
        before += shares
        if shares > 0 and (price - first) * outwards(side) < 0:
            first = price
    return first


@inlined
def _bound(p, s, side, limit):
    """Move the quotes of a side that are better than a price back to it."""
    for k in range(p.rules.quotes):
        if (s.book.wanted[side, k, PRICE] - limit) * outwards(side) < 0:
            s.book.wanted[side, k, PRICE] = limit


@inlined
def _quote_for(p, s, side, slot):
    """The largest wanted quote at the price of a resting order that has no more shares than it; -1 if there is none."""
    found, most = np.int64(-1), np.int64(0)
    for k in range(p.rules.quotes):
        shares = s.book.wanted[side, k, SHARES]
        there = s.book.wanted[side, k, PRICE] == s.book.own_price[slot]
        if there and most < shares <= s.orders[slot].shares:
            found, most = np.int64(k), shares
    return found


@inlined
def _cancel(p, s, side, slot, shares):
    withdraw(s, side, s.book.own_price[slot], slot, shares)
    excite(p, s, CANCEL + side)


@inlined
def _keep(p, s, side):
    """Of what rests keep what is wanted: an order left alone or reduced keeps its place. What is left wanted is new."""
    j = np.int64(0)
    while j < s.book.meta[OWN_COUNT + side]:
        slot = s.book.own[side, j]
        size, k = shares_of(s, slot), _quote_for(p, s, side, slot)
        if k < 0:
            _cancel(p, s, side, slot, size)
            continue
        if s.book.wanted[side, k, SHARES] < size:
            _cancel(p, s, side, slot, size - s.book.wanted[side, k, SHARES])
        s.book.wanted[side, k, SHARES] = 0
        j += 1


@inlined
def _market(p, s, side, n):
    """A market order of the maker that hits a side, unless it could pass the position limit."""
    shares, sign = _shares(n), outwards(side)
    if shares == 0 or sign * s.book.account[INVENTORY] + shares > p.rules.position_limit:
        return
    taken = take(s, side, shares, ANY_PRICE[side], MAKER)
    if taken > 0:
        note_trade(s, side, taken)
        excite(p, s, MARKET + side)
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
            excite(p, s, MARKET + 1 - side)
    if taken < shares:
        add(s, side, price, shares - taken, MAKER)
        excite(p, s, LIMIT + side)
    settle(s)


@inlined
def apply(p, s, quote):
    """A decision takes effect: (n_b, delta_b, n_a, delta_a) of each quote, then (n_buy, n_sell) at market.

    In shares and currency. First its market orders, to buy and to sell; then what rests is compared with what is
    wanted, the bids first. If the two sides would meet, both give way by as much.
    """
    if p.rules.takes:
        _market(p, s, ASK, quote[4 * p.rules.quotes])
        _market(p, s, BID, quote[4 * p.rules.quotes + 1])
    bid = _want(p, s, BID, quote)
    ask = _want(p, s, ASK, quote)
    if ask <= bid:
        back = (bid - ask + 2) // 2
        _bound(p, s, BID, bid - back)
        _bound(p, s, ASK, ask + back)
    for side in (BID, ASK):
        _keep(p, s, side)
    for side in (BID, ASK):
        for k in range(p.rules.quotes):
            _rest(p, s, side, s.book.wanted[side, k, SHARES], s.book.wanted[side, k, PRICE])


@called
def withdraw_all(p, s):
    """The maker's orders leave the book."""
    for side in (BID, ASK):
        while s.book.meta[OWN_COUNT + side] > 0:
            slot = s.book.own[side, 0]
            _cancel(p, s, side, slot, shares_of(s, slot))
    settle(s)


@called
def close(p, s):
    """The maker withdraws its orders and closes its position by a market order, as far as the book goes.

    By this it moves the mid itself, which is no adverse selection of the fills before it.
    """
    s.book.meta[OLDEST] = s.book.meta[NEWEST]
    withdraw_all(p, s)
    held = s.book.account[INVENTORY]
    if held != 0:
        side = BID if held > 0 else ASK
        taken = take(s, side, abs(held), ANY_PRICE[side], MAKER)
        if taken > 0:
            note_trade(s, side, taken)
            excite(p, s, MARKET + side)
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
        s.book.effect[s.book.meta[UNDER_WAY] - 1] = s.book.times[SENT]
        s.book.meta[NEW] = 0


@inlined
def next_effect(s):
    """When the oldest decision under way takes effect."""
    return s.book.effect[0] if s.book.meta[UNDER_WAY] > 0 else math.inf


@called
def arrive(p, s):
    """The oldest decision under way takes effect."""
    apply(p, s, s.book.under_way[0])
    left = s.book.meta[UNDER_WAY] - 1
    for k in range(left):
        s.book.effect[k] = s.book.effect[k + 1]
        for a in range(NUMBERS_OF_A_DECISION):
            s.book.under_way[k, a] = s.book.under_way[k + 1, a]
    s.book.meta[UNDER_WAY] = left
