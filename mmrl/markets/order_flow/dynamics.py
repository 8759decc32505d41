"""A limit order book of many traders in which the maker stands in the queue. README.md states the rules."""

import math

import numpy as np

from mmrl.kernels.account import GOES_ON, Account
from mmrl.kernels.jit import called, inlined
from mmrl.kernels.random import poisson, uniform
from mmrl.markets.order_flow.arrivals import (
    calm,
    cancellation,
    excite,
    limit_order,
    market_order,
    of_tables,
    rates,
    size,
)
from mmrl.markets.order_flow.maker import arrive, close, next_effect, schedule, send
from mmrl.markets.order_flow.queues import add, best, clear, others_at, outwards, shares_ahead, withdraw_price
from mmrl.markets.order_flow.settings import AFTER
from mmrl.markets.order_flow.signals import fade, note_trade, settle
from mmrl.markets.order_flow.state import (
    ADVERSE,
    ANCHOR,
    ASK,
    BEGAN,
    BEST,
    BID,
    BOUGHT,
    BOUGHT_TAKING,
    CANCEL,
    CASH,
    CASH_BEFORE,
    COUNT,
    DRIFT,
    EFFICIENT,
    EVENTS,
    FLOW,
    HORIZON,
    INVENTORY,
    KINDS,
    LIVE,
    MADE,
    MADE_BEFORE,
    MARKET,
    MID,
    MOVE,
    NOW,
    OF_LIMIT_ORDERS,
    OTHERS,
    OWN,
    OWN_COUNT,
    PAID,
    QUOTED_ASK,
    QUOTED_BID,
    RECEIVED,
    REVALUATION,
    SOLD,
    SOLD_TAKING,
    SPANS,
    STEP,
    TAKEN,
    TAKEN_BEFORE,
    TIMES,
)
from mmrl.markets.order_flow.state import parameters as parameters
from mmrl.markets.order_flow.tape import note_levels

MOST_SEEDS = 1_000
"""Orders at a price with which a book begins."""


@inlined
def _depleted(s, side):
    return s.book.meta[COUNT + side] == 0 and s.book.meta[OWN + side] < 0


@called
def _draw_queues(p, s, rng, ask):
    """New queues at `ask` and a tick below it."""
    for side in range(2):
        u, count = uniform(rng), 1
        while count < p.redrawn.shape[0] and u >= p.redrawn[count - 1]:
            count += 1
        for _ in range(count):
            add(s, np.int64(side), np.int64(ask - 1 + side), size(p, OF_LIMIT_ORDERS, rng), OTHERS)


@inlined
def renew(p, s, rng):
    """Where a price has lost its last order, the maker's included, it moves a tick and both queues are drawn anew.

    Every order leaves, the maker's too. Where both sides are empty the price stays (Cont & de Larrard, SIAM Journal on
    Financial Mathematics 4, 2013).
    """
    if p.rules.redraws and (_depleted(s, BID) or _depleted(s, ASK)):
        if _depleted(s, ASK):  # its best counts a tick beyond already
            ask = s.book.meta[BEST + ASK] - (1 if _depleted(s, BID) else 0)
        else:
            ask = best(s, ASK) - 1
        withdraw_price(s, BID, best(s, BID))
        withdraw_price(s, ASK, best(s, ASK))
        _draw_queues(p, s, rng, ask)


@inlined
def _take_effect(p, s, rng):
    """The oldest decision under way takes effect, and what follows at once."""
    arrive(p, s)
    renew(p, s, rng)
    settle(s)


@inlined
def _event(p, s, rng, r):
    """The event on which the rate r falls; returns 1, or 0 where others see nothing."""
    kind = 0
    while kind < KINDS and r >= s.book.rates[kind]:
        r -= s.book.rates[kind]
        kind += 1
    if kind == KINDS:  # the excitation has faded meanwhile (Ogata's thinning)
        return 0
    side = np.int64(kind & 1)
    if kind >= DRIFT:
        s.book.meta[EFFICIENT] += 2 * (1 - 2 * side)
        return 0
    if kind >= MARKET:
        taken = market_order(p, s, rng, side)
        if taken > 0:
            note_trade(s, side, taken)
    elif kind >= CANCEL:
        cancellation(p, s, side, of_tables(p, s, kind, r))
    else:
        limit_order(p, s, rng, side, of_tables(p, s, kind, r))
    excite(p, s, kind)
    renew(p, s, rng)
    settle(s)
    s.book.meta[EVENTS] += 1
    return 1


@called
def run(p, s, rng, end, events):
    """Let the market live until a time, or for so many events, while the maker's decisions under way take effect.

    Returns the events seen: fewer where the time came first. Exact in time: waiting times are exponential with the sum
    of all rates (Gillespie 1977).
    """
    seen = 0
    while seen < events:
        total = rates(p, s)
        stop = min(end, next_effect(s))
        waited = -math.log(1.0 - uniform(rng)) / total
        if s.book.times[NOW] + waited < stop:
            calm(p, s, waited)
            s.book.times[NOW] += waited
            seen += _event(p, s, rng, uniform(rng) * total)
            continue
        calm(p, s, stop - s.book.times[NOW])
        s.book.times[NOW] = stop
        if next_effect(s) <= stop:
            _take_effect(p, s, rng)
        else:
            break
    return seen


@called
def _seed(p, s, rng):
    """Queues as they would be on average with a spread of one tick: Poisson(lambda(i) / theta(i)) orders at i.

    Where queues are drawn anew, the first ones are too.
    """
    if p.rules.redraws:
        _draw_queues(p, s, rng, p.rules.mid)
        return
    distances, levels = p.rules.distances, p.rules.distances + p.far.shape[0]
    for side in range(2):
        for i in range(levels):
            row = min(i, distances - 1)
            rate = p.tables[row, 0]
            if i >= distances:
                rate = p.far[i - distances] - (p.far[i - distances - 1] if i > distances else 0.0)
            cancel = p.tables[distances + row, p.rules.columns - 1]
            count = poisson(rng, rate / cancel if cancel > 0.0 else 1.0, MOST_SEEDS)
            if i == 0:
                count = max(count, 1)
            price = p.rules.mid + i if side == ASK else p.rules.mid - 1 - i
            for _ in range(count):
                add(s, np.int64(side), np.int64(price), size(p, OF_LIMIT_ORDERS, rng), OTHERS)


@inlined
def reset(p, s, rng, number):
    """A seeded book that has lived through the warm-up; the maker holds nothing."""
    clear(s, p.rules.mid)
    s.known[:] = 0
    s.book.meta[SPANS] = p.rules.spans
    for h in range(p.rules.spans):
        s.book.signals[h, HORIZON] = p.rules.horizons[h]
    _seed(p, s, rng)
    s.book.meta[MID] = s.book.meta[BEST + BID] + s.book.meta[BEST + ASK]
    s.book.meta[EFFICIENT] = s.book.meta[ANCHOR] = s.book.meta[MID]
    run(p, s, rng, p.rules.warm_up, np.int64(2**62))
    fade(s)
    for i in range(TIMES):
        s.book.times[i] = 0.0
    s.book.meta[LIVE] = 1
    _quoted(s)


@called
def observe(p, s, out):
    """The columns of the spec: book of the others, averages, the maker's own orders, inventory, time left."""
    fade(s)
    queue_bid = others_at(s, BID, s.book.meta[BEST + BID])
    queue_ask = others_at(s, ASK, s.book.meta[BEST + ASK])
    out[0] = (queue_bid - queue_ask) / max(queue_bid + queue_ask, 1)
    out[1] = s.book.meta[BEST + ASK] - s.book.meta[BEST + BID]
    at = 2
    for side in range(2):
        for i in range(p.rules.depth):
            out[at] = others_at(s, np.int64(side), s.book.meta[BEST + side] + outwards(side) * i)
            at += 1
    for h in range(p.rules.spans):
        out[at] = s.book.signals[h, FLOW]
        out[at + 1] = s.book.signals[h, MOVE]
        at += 2
    for side in range(2):
        for j in range(p.rules.quotes):
            if j < s.book.meta[OWN_COUNT + side]:
                slot = s.book.own[side, j]
                out[at] = s.orders[slot].shares
                out[at + 1] = (s.book.own_price[slot] - s.book.meta[BEST + side]) * outwards(side)
                out[at + 2] = shares_ahead(s, slot)
            else:
                out[at] = out[at + 1] = out[at + 2] = 0
            at += 3
    out[at] = s.book.account[INVENTORY]
    out[at + 1] = (p.rules.steps - s.book.meta[STEP]) / p.rules.steps


@inlined
def join(p, s, rng, quote):
    """A simple maker: one share at the best price of each side."""
    for side in range(2):
        away = 0.0
        if p.rules.from_mid:
            away = 0.5 * (s.book.meta[BEST + ASK] - s.book.meta[BEST + BID]) * p.rules.tick
        quote[2 * side] = 1.0
        quote[2 * side + 1] = away
    for a in range(4, quote.shape[0]):
        quote[a] = 0.0


@inlined
def _quoted(s):
    s.book.account[QUOTED_BID] = best(s, BID)
    s.book.account[QUOTED_ASK] = best(s, ASK)


@inlined
def act(p, s, quote):
    """The maker's decision, as `maker.apply` takes it, sets out."""
    a = s.book.account
    for i in range(BOUGHT, REVALUATION + 1):
        a[i] = 0
    a[CASH_BEFORE], a[MADE_BEFORE], a[TAKEN_BEFORE] = a[CASH], a[MADE], a[TAKEN]
    s.book.times[BEGAN] = s.book.times[NOW]
    send(s, quote)


@inlined
def begin_step(p, s, rng):
    """The decision is on its way; without latency it takes effect at once."""
    schedule(p, s, rng)
    if next_effect(s) <= s.book.times[NOW]:
        _take_effect(p, s, rng)
    _quoted(s)
    if p.changes.shape[0] > 0 and s.book.meta[STEP] % p.rules.every == 0:
        note_levels(p, s)
    s.book.meta[STEP] += 1


@inlined
def advance(p, s, rng):
    """The market until the next decision, and the end of the maker's position with the last."""
    begin_step(p, s, rng)
    run(p, s, rng, s.book.meta[STEP] * p.rules.interval, p.rules.events)
    if p.rules.close_at_end and s.book.meta[STEP] == p.rules.steps:
        close(p, s)
    return GOES_ON


@inlined
def _fees(p, made, taken):
    return p.rules.maker_fee * made + p.rules.taker_fee * taken


@inlined
def account(p, s):
    """The maker's account; fees are part of what is paid and received."""
    a = s.book.account
    mid = 0.5 * (s.book.meta[BEST + BID] + s.book.meta[BEST + ASK]) * p.rules.tick
    cash = a[CASH] * p.rules.tick - _fees(p, a[MADE], a[TAKEN])
    change = (a[CASH] - a[CASH_BEFORE]) * p.rules.tick
    return Account(
        time=s.book.times[NOW],
        elapsed=s.book.times[NOW] - s.book.times[BEGAN],
        cash=cash,
        inventory=a[INVENTORY],
        mid=mid,
        value=cash + a[INVENTORY] * mid,
        bid=a[QUOTED_BID] * p.rules.tick,
        ask=a[QUOTED_ASK] * p.rules.tick,
        cash_change=change - _fees(p, a[MADE] - a[MADE_BEFORE], a[TAKEN] - a[TAKEN_BEFORE]),
        bought=a[BOUGHT],
        sold=a[SOLD],
        paid=a[PAID] * p.rules.tick + _fees(p, a[BOUGHT] - a[BOUGHT_TAKING], a[BOUGHT_TAKING]),
        received=a[RECEIVED] * p.rules.tick - _fees(p, a[SOLD] - a[SOLD_TAKING], a[SOLD_TAKING]),
        revaluation=0.5 * a[REVALUATION] * p.rules.tick,
    )


@inlined
def split(p, s, out):
    """Parts of the profit, as the spec names them: fees, and the moves of the mid after fills."""
    a = s.book.account
    out[0] = -_fees(p, a[MADE], a[TAKEN])
    for h in range(len(AFTER)):
        out[1 + h] = 0.5 * a[ADVERSE + h] * p.rules.tick
