"""Who comes next: rates of the background by the state of the book, and the draws of its events.

Limit orders at distance i from the opposite best at rate lambda(i), market orders at rate mu, each order cancelled at
rate theta(i): Cont, Stoikov & Talreja (Operations Research 58(3), 2010). Tables by the size of the queue: Huang, Lehalle
& Rosenbaum (2015). Excited market orders: a Hawkes process whose kernels are sums of exponentials.
"""

import math

import numpy as np

from mmrl.kernels.jit import inlined
from mmrl.kernels.random import uniform
from mmrl.markets.order_flow.queues import add, best, outwards, take, withdraw
from mmrl.markets.order_flow.state import (
    ANCHOR,
    ASK,
    BEST,
    BID,
    CANCEL,
    CONSTANT,
    COUNT,
    DRIFT,
    EFFICIENT,
    GEOMETRIC,
    HEAD,
    KINDS,
    LIMIT,
    MARKET,
    NEXT,
    ORDERS,
    OWN,
    PRICE,
    SHARES,
)

MOST_SHARES = 10**9
"""Of one order."""
_FURTHEST = np.array([-(2**61), 2**61])
HIGHEST_LOG_RATE = 50.0


@inlined
def column(p, shares):
    """Where a queue of so many shares stands in the tables of rates: in mean orders, rounded up."""
    if p.limit.shape[1] == 1:
        return np.int64(0)
    return np.int64(min(math.ceil(shares / p.unit), p.limit.shape[1] - 1.0))


@inlined
def _queue(p, s, price):
    """Shares and orders of others at a price."""
    row = price & (p.rows - 1)
    if s.book.levels[row, PRICE] == price:
        return s.book.levels[row, SHARES], s.book.levels[row, ORDERS]
    return np.int64(0), np.int64(0)


@inlined
def _market_rate(p, s, side, spread):
    """Rate of market orders that hit a side, without excitation and leaning."""
    shares, _ = _queue(p, s, best(s.book, side))
    if p.intensity.shape[0] == 0:
        return p.market[column(p, shares)]
    b, x, y = p.intensity, math.log(spread), math.log1p(shares / p.unit)
    return math.exp(min(b[0] + b[1] * x + b[2] * x * x + b[3] * y + b[4] * y * y + b[5] * x * y, HIGHEST_LOG_RATE))


@inlined
def rates(p, s):
    """Fill the rates of all kinds of events; returns their sum."""
    distances = p.limit.shape[0]
    last = p.cancel[distances - 1, p.cancel.shape[1] - 1]
    far = p.far[p.far.shape[0] - 1] if p.far.shape[0] > 0 else 0.0
    top = (best(s.book, BID), best(s.book, ASK))
    total = 0.0
    for side in range(2):
        price, step = top[1 - side], outwards(side)
        limit, cancel, near = 0.0, 0.0, np.int64(0)
        for i in range(distances):
            price += step
            shares, orders = _queue(p, s, price)
            c = column(p, shares)
            limit += p.limit[i, c]
            cancel += p.cancel[i, c] * orders
            near += orders
        s.rates[LIMIT + side] = limit + far
        s.rates[CANCEL + side] = cancel + last * (s.book.meta[COUNT + side] - near)
        s.rates[MARKET + side] = _market_rate(p, s, side, top[1] - top[0])
    if p.efficient_rate > 0.0:
        lean = math.tanh(p.informed * 0.5 * (s.book.meta[EFFICIENT] - s.book.meta[BEST + BID] - s.book.meta[BEST + ASK]))
        s.rates[MARKET + BID] *= 1.0 - lean
        s.rates[MARKET + ASK] *= 1.0 + lean
        away = p.efficient_pull * 0.5 * (s.book.meta[EFFICIENT] - s.book.meta[ANCHOR])
        s.rates[DRIFT] = 0.5 * p.efficient_rate * max(1.0 - away, 0.0)
        s.rates[DRIFT + 1] = 0.5 * p.efficient_rate * max(1.0 + away, 0.0)
    for side in range(2):
        for e in range(p.decays.shape[0]):
            s.rates[MARKET + side] += s.excitation[side, e]
    for kind in range(KINDS):
        total += s.rates[kind]
    return total


@inlined
def calm(p, s, elapsed):
    """Let the excitation fade; what it loses leaves the rates too."""
    for e in range(p.decays.shape[0]):
        lost = -math.expm1(-p.decays[e] * elapsed)
        for side in range(2):
            fading = lost * s.excitation[side, e]
            s.excitation[side, e] -= fading
            s.rates[MARKET + side] -= fading


@inlined
def excite(p, s, side):
    """A market order hits a side: rates of market orders jump."""
    for e in range(p.decays.shape[0]):
        s.excitation[side, e] += p.jumps[0, e]
        s.excitation[1 - side, e] += p.jumps[1, e]


@inlined
def size(p, table, rng):
    """Shares of an order."""
    if p.size_law == CONSTANT:
        return np.int64(table[0])
    u = uniform(rng)
    if p.size_law == GEOMETRIC:
        return np.int64(1) + np.int64(min(math.log(1.0 - u) / table[0], MOST_SHARES))
    k = np.int64(0)
    while k < table.shape[0] - 1 and u >= table[k]:
        k += 1
    return k + 1


@inlined
def limit_order(p, s, rng, side, r):
    """A limit order of others, at the distance at which the rate r falls among those of its side."""
    price, step, i = best(s.book, 1 - side), outwards(side), 0
    distances = p.limit.shape[0]
    while i < distances:
        shares, _ = _queue(p, s, price + step * (i + 1))
        rate = p.limit[i, column(p, shares)]
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
    add(s.book, side, price + step * (i + 1), size(p, p.limit_sizes, rng), 0)


@inlined
def cancellation(p, s, side, r):
    """An order of others leaves: the one on which the rate r falls."""
    price, step = best(s.book, 1 - side), outwards(side)
    near = np.int64(0)
    distances = p.limit.shape[0]
    for i in range(distances):
        price += step
        shares, orders = _queue(p, s, price)
        rate = p.cancel[i, column(p, shares)]
        if r < rate * orders:
            _cancel_nth(p, s, side, price, min(np.int64(r / rate), orders - 1))
            return
        r -= rate * orders
        near += orders
    left = s.book.meta[COUNT + side] - near
    if left <= 0:  # a rate that only rounding made
        return
    nth = min(np.int64(r / p.cancel[distances - 1, p.cancel.shape[1] - 1]), left - 1)
    while True:
        price += step
        _, orders = _queue(p, s, price)
        if nth < orders:
            break
        nth -= orders
    _cancel_nth(p, s, side, price, nth)


@inlined
def _cancel_nth(p, s, side, price, nth):
    """Cancel the nth order of others at a price."""
    slot, own = s.book.levels[price & (p.rows - 1), HEAD], s.book.meta[OWN + side]
    while nth > 0 or slot == own:
        if slot != own:
            nth -= 1
        slot = s.book.orders[slot, NEXT]
    withdraw(s.book, side, price, slot, s.book.orders[slot, 0])


@inlined
def market_order(p, s, rng, side):
    """A market order of others that hits a side; returns its shares that found some."""
    return take(s.book, side, size(p, p.market_sizes, rng), _FURTHEST[side], 0)
