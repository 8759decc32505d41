"""Who comes next: rates of the background by the state of the book, and the draws of its events.

Limit orders at distance i from the opposite best at rate lambda(i), market orders at rate mu, each order cancelled at
rate theta(i): Cont, Stoikov & Talreja (Operations Research 58(3), 2010). Tables by the size of the queue: Huang,
Lehalle & Rosenbaum (2015). Excited events: a Hawkes process whose kernels are sums of exponentials (hawkes.py).
"""

import math

import numpy as np

from mmrl.kernels.jit import inlined
from mmrl.kernels.random import uniform
from mmrl.markets.order_flow.queues import ANY_PRICE, best, match, outwards, place, remove, shares_of
from mmrl.markets.order_flow.state import (
    ANCHOR,
    ASK,
    BEST,
    BID,
    CANCEL,
    CHANGED,
    CONSTANT,
    COUNT,
    COUNTED_WITH,
    DRIFT,
    EFFICIENT,
    GEOMETRIC,
    LIMIT,
    MARKET,
    OF_LIMIT_ORDERS,
    OF_MARKET_ORDERS,
    OTHERS,
    OWNED,
)

MOST_SHARES = 10**9
"""Of one order."""
HIGHEST_LOG_RATE = 50.0


@inlined
def column(p, shares):
    """Where a queue of so many shares stands in the tables of rates: in mean orders, rounded up."""
    if p.rules.columns == 1:
        return np.int64(0)
    return np.int64(min(math.ceil(shares / p.rules.unit), p.rules.columns - 1.0))


@inlined
def _queue(p, s, price):
    """Shares and orders of others at a price."""
    row = price & (p.rules.rows - 1)
    if s.levels[row].price == price:
        return s.levels[row].shares, s.levels[row].orders
    return np.int64(0), np.int64(0)


@inlined
def _market_rate(p, s, side, opposite):
    """Rate of market orders that hit a side, without excitation and leaning."""
    price = best(s, side)
    shares, _ = _queue(p, s, price)
    if not p.rules.by_spread:
        return p.tables[2 * p.rules.distances, column(p, shares)]
    # of a spread that is the same on both sides LLVM would take the logarithm once, whether or not a rate needs it
    spread = (price - opposite) * outwards(side)
    b, x, y = p.rules.intensity, math.log(spread), math.log1p(shares / p.rules.unit)
    return math.exp(min(b[0] + b[1] * x + b[2] * x * x + b[3] * y + b[4] * y * y + b[5] * x * y, HIGHEST_LOG_RATE))


@inlined
def _lean(p, s):
    """How much likelier orders are that lean towards the efficient price; below 0 if it is below the mid."""
    away = 0.5 * (s.book.meta[EFFICIENT] - s.book.meta[BEST + BID] - s.book.meta[BEST + ASK])
    return p.rules.informed_share * math.tanh(p.rules.informed * away)


@inlined
def _raises(kind):
    """1 for orders that raise the price: those that buy, bids that are sent, asks that are cancelled; -1 for others."""
    side = kind & 1
    return 2 * side - 1 if kind >= CANCEL else 1 - 2 * side


@inlined
def _set_rate(s, kind, rate):
    s.book.background[kind] = rate
    s.book.rates[kind] = rate


@inlined
def _count(p, s):
    """Fill the background rates of the sides on which something has changed since they were counted.

    What can change them: orders of others at the side's prices, and the best prices of both sides.
    """
    bid, ask = best(s, BID), best(s, ASK)
    moved = bid != s.book.meta[COUNTED_WITH + BID] or ask != s.book.meta[COUNTED_WITH + ASK]
    if not moved and s.book.meta[CHANGED + BID] == 0 and s.book.meta[CHANGED + ASK] == 0:
        return
    distances = p.rules.distances
    last = p.tables[2 * distances - 1, p.rules.columns - 1]
    far = p.far[p.far.shape[0] - 1] if p.far.shape[0] > 0 else 0.0
    for side in range(2):
        if not moved and s.book.meta[CHANGED + side] == 0:
            continue
        opposite, step = (ask if side == BID else bid), outwards(side)
        price = opposite
        limit, cancel, near = 0.0, 0.0, np.int64(0)
        for i in range(distances):
            price += step
            shares, orders = _queue(p, s, price)
            c = column(p, shares)
            limit += p.tables[i, c]
            cancel += p.tables[distances + i, c] * orders
            near += orders
        _set_rate(s, LIMIT + side, limit + far)
        _set_rate(s, CANCEL + side, cancel + last * (s.book.meta[COUNT + side] - near))
        _set_rate(s, MARKET + side, _market_rate(p, s, side, opposite))
        s.book.meta[CHANGED + side] = 0
    s.book.meta[COUNTED_WITH + BID] = bid
    s.book.meta[COUNTED_WITH + ASK] = ask


@inlined
def rates(p, s):
    """Fill the rates of all kinds of events; returns their sum."""
    _count(p, s)
    total = 0.0
    drifts = p.rules.efficient_rate > 0.0
    if drifts or p.rules.exponentials > 0:  # else they are as they were counted
        for kind in range(DRIFT):
            s.book.rates[kind] = s.book.background[kind]
    if drifts:
        lean = _lean(p, s)
        for kind in range(LIMIT if p.rules.all_informed else MARKET, DRIFT):
            s.book.rates[kind] *= 1.0 + _raises(kind) * lean
        away = p.rules.efficient_pull * 0.5 * (s.book.meta[EFFICIENT] - s.book.meta[ANCHOR])
        s.book.rates[DRIFT] = 0.5 * p.rules.efficient_rate * max(1.0 - away, 0.0)
        s.book.rates[DRIFT + 1] = 0.5 * p.rules.efficient_rate * max(1.0 + away, 0.0)
    for kind in range(p.rules.first_excited, DRIFT):
        for e in range(p.rules.exponentials):
            s.book.rates[kind] += s.book.excitation[kind, e]
    for kind in range(DRIFT):
        total += s.book.rates[kind]
    if drifts:
        total += s.book.rates[DRIFT]
        total += s.book.rates[DRIFT + 1]
    return total


@inlined
def calm(p, s, elapsed):
    """Let the excitation fade; what it loses leaves the rates too."""
    for e in range(p.rules.exponentials):
        lost = -math.expm1(-p.rules.decays[e] * elapsed)
        for kind in range(p.rules.first_excited, DRIFT):
            fading = lost * s.book.excitation[kind, e]
            s.book.excitation[kind, e] -= fading
            s.book.rates[kind] -= fading


@inlined
def excite(p, s, kind):
    """An event happens: rates of the kinds that it excites jump, on its own side and the other."""
    for e in range(p.rules.exponentials):
        for excited in range(p.rules.first_excited, DRIFT):
            s.book.excitation[excited, e] += p.rules.jumps[excited >> 1, kind >> 1, (excited ^ kind) & 1, e]


@inlined
def of_tables(p, s, kind, r):
    """Where a rate r of a kind falls among those of the tables: excited and informed orders choose as others do."""
    excited = 0.0
    if kind >= p.rules.first_excited:
        for e in range(p.rules.exponentials):
            excited += s.book.excitation[kind, e]
    if excited > 0.0:
        r *= max(1.0 - excited / s.book.rates[kind], 0.0)
    if not p.rules.all_informed:
        return r
    likelier = 1.0 + _raises(kind) * _lean(p, s)
    return r / likelier if likelier > 0.0 else 0.0  # of a kind that only excitation brings


@inlined
def size(p, kind, rng):
    """Shares of a limit order (kind 0) or a market order (kind 1)."""
    if p.rules.size_law == CONSTANT:
        return np.int64(p.sizes[kind, 0])
    u = uniform(rng)
    if p.rules.size_law == GEOMETRIC:
        return np.int64(1) + np.int64(min(math.log(1.0 - u) / p.sizes[kind, 0], MOST_SHARES))
    k = np.int64(0)
    while k < p.sizes.shape[1] - 1 and u >= p.sizes[kind, k]:
        k += 1
    return k + 1


@inlined
def limit_order(p, s, rng, side, r):
    """A limit order of others, at the distance at which the rate r falls among those of its side."""
    price, step, i = best(s, 1 - side), outwards(side), 0
    distances = p.rules.distances
    while i < distances:
        shares, _ = _queue(p, s, price + step * (i + 1))
        rate = p.tables[i, column(p, shares)]
        if r < rate:
            break
        r -= rate
        i += 1
    if i == distances:
        low, high = 0, p.far.shape[0] - 1
        while low < high:
            middle = (low + high) // 2
            if r < p.far[middle]:
                high = middle
            else:
                low = middle + 1
        i += max(low, 0) if high >= 0 else -1
    place(s, side, price + step * (i + 1), size(p, OF_LIMIT_ORDERS, rng), OTHERS)


@inlined
def cancellation(p, s, side, r):
    """An order of others leaves: the one on which the rate r falls."""
    price, step = best(s, 1 - side), outwards(side)
    near, nth = np.int64(0), np.int64(-1)
    distances = p.rules.distances
    for i in range(distances):
        price += step
        shares, orders = _queue(p, s, price)
        rate = p.tables[distances + i, column(p, shares)]
        if r < rate * orders:
            nth = min(np.int64(r / rate), orders - 1)
            break
        r -= rate * orders
        near += orders
    if nth < 0:
        left = s.book.meta[COUNT + side] - near
        if left <= 0:  # an excited cancellation finds no order, or only rounding made the rate
            return
        nth = min(np.int64(r / p.tables[2 * distances - 1, p.rules.columns - 1]), left - 1)
        while True:
            price += step
            _, orders = _queue(p, s, price)
            if nth < orders:
                break
            nth -= orders
    slot = _nth_of_others(s, price & (p.rules.rows - 1), nth)
    remove(s, side, price, slot, shares_of(s, slot))


@inlined
def _nth_of_others(s, row, nth):
    """The nth order of others at the price of a row, counted from the end that is nearer."""
    behind = s.levels[row].orders - 1 - nth
    if nth <= behind:
        slot = s.levels[row].head
        while nth > 0 or slot < OWNED:
            if slot >= OWNED:
                nth -= 1
            slot = s.orders[slot].next
        return slot
    slot = s.levels[row].tail
    while behind > 0 or slot < OWNED:
        if slot >= OWNED:
            behind -= 1
        slot = s.orders[slot].previous
    return slot


@inlined
def market_order(p, s, rng, side):
    """A market order of others that hits a side; returns its shares that found some."""
    return match(s, side, size(p, OF_MARKET_ORDERS, rng), ANY_PRICE[side], OTHERS)
