"""The order book in which a maker lives: a diffusing mid, a seeded book, market orders that see the best quotes.

README.md states the rules; every combination of them runs in one compiled kernel. Prices are levels of the ladder.
"""

import math

import numpy as np

from mmrl.kernels.account import DISCARDED, ENDED, GOES_ON, Account
from mmrl.kernels.bits import lowest_bit
from mmrl.kernels.elementary import exp, log
from mmrl.kernels.jit import inlined, inlined_fused
from mmrl.kernels.random import normal, poisson, poisson_of, uniform
from mmrl.markets.book.order_book import (
    ASK,
    BEST,
    BID,
    HEAD,
    MAKER,
    ONE,
    OWN,
    SHARES,
    SIDE_TOTAL,
    TOTAL,
    cancel,
    clear,
    place,
    rest,
    take,
)
from mmrl.markets.book.state import (
    BOUGHT,
    CASH,
    CASH_BEFORE,
    CLOCK,
    INVENTORY,
    INVENTORY_BEFORE,
    MAX_ORDERS,
    MAX_SEEDS,
    MAX_SHARES,
    MID,
    NOTED,
    PAID,
    QUOTED_ASK,
    QUOTED_BID,
    RECEIVED,
    REFILL,
    REVALUATION,
    SEEN_ASK,
    SEEN_BID,
    SOLD,
)
from mmrl.markets.book.state import parameters as parameters


@inlined_fused
def _size_power(p, q):
    # log(1 + x) is as exact as log1p here, where it is added to numbers of order one
    y = min(log(1.0 + q * p.per_share), p.log_size_limit)
    return p.b0 + p.b3 * y + p.b4 * y * y


@inlined_fused
def _rate(p, delta, q, size_power):
    far = min(max(delta, 0.0) * p.per_currency, p.distance_limit)
    x = log(1.0 + far)
    return exp(size_power + p.b1 * x + p.b2 * x * x + p.b5 * log(1.0 + far + q * p.per_share))


@inlined
def arrival_rate(p, delta, q):
    """Arrival rate per ms, in shares or in orders, against q shares at distance delta (currency)."""
    return _rate(p, delta, q, _size_power(p, q)) if q > 0 else 0.0


@inlined
def _arrival_rate(p, delta, q):
    """The same for whole shares, what depends on them alone looked up where they are few."""
    if q <= 0:
        return 0.0
    return _rate(p, delta, q, p.size_powers[q] if q < p.size_powers.shape[0] else _size_power(p, q))


@inlined
def arriving(p, rng, rate, cap):
    """Shares of the market orders of one side in a step, at most cap; rate is the mean number of shares, or orders."""
    if p.order_sizes.shape[0] == 0:
        return poisson(rng, rate, cap)
    shares = np.int64(0)
    for _ in range(poisson(rng, rate, MAX_ORDERS)):
        shares += p.order_sizes[np.int64(uniform(rng) * p.order_sizes.shape[0])]
    return min(shares, cap)


@inlined
def touch(p, s, side):
    """Size at the best quote of a side: all its shares, or its first lot under the lineage rule."""
    if s.core.meta[SIDE_TOTAL + side] == 0:
        return np.int64(0)
    level = s.core.meta[BEST + side]
    if p.shows_lot:
        return s.lots[s.ladder[level, HEAD], SHARES]
    return s.ladder[level, TOTAL]


@inlined
def shown(p, s, side, size):
    """Size at the best quote that others show: a maker who mirrored its own shares would grow without bound."""
    if p.maker_owns_seeds or s.core.meta[SIDE_TOTAL + side] == 0:
        return np.float64(size)
    return np.float64(max(size - s.ladder[s.core.meta[BEST + side], OWN], 0))


@inlined
def _look(p, s):
    s.core.meta[SEEN_BID] = touch(p, s, BID)
    s.core.meta[SEEN_ASK] = touch(p, s, ASK)


@inlined
def empty(s):
    """Whether a side holds no shares."""
    return s.core.meta[SIDE_TOTAL + BID] == 0 or s.core.meta[SIDE_TOTAL + ASK] == 0


@inlined
def _trade(s, side, shares, ticks):
    """The maker buys (side BID) or sells (side ASK) shares for a sum of ticks."""
    if side == BID:
        s.core.account[CASH] -= ticks
        s.core.account[INVENTORY] += shares
        s.core.account[BOUGHT] += shares
        s.core.account[PAID] += ticks
    else:
        s.core.account[CASH] += ticks
        s.core.account[INVENTORY] -= shares
        s.core.account[SOLD] += shares
        s.core.account[RECEIVED] += ticks


@inlined
def _cross_side(p, s, side):
    mid = s.core.numbers[MID]
    if s.core.meta[SIDE_TOTAL + side] == 0:
        return
    if side == BID:
        if not s.core.meta[BEST + BID] > mid:
            return
        limit = np.int64(math.floor(mid)) + 1
        level = np.int64(math.floor(mid + 0.5)) - 1
    else:
        if not s.core.meta[BEST + ASK] < mid:
            return
        limit = np.int64(math.ceil(mid)) - 1
        level = np.int64(math.floor(mid + 0.5)) + 1
    n = take(s, side, s.core.meta[SIDE_TOTAL + side], limit)
    if not p.drops_crossed:
        _trade(s, side, n[1], n[3] + n[1] * p.base)
    if p.refills and s.core.meta[SIDE_TOTAL + side] == 0:
        rest(s, side, level, REFILL, p.maker_owns_seeds)


@inlined
def _cross(p, s):
    """Orders that the mid has passed: the maker's are filled at their limit, or all are dropped (lineage)."""
    _cross_side(p, s, BID)
    _cross_side(p, s, ASK)


@inlined
def _seed(p, rng):
    return poisson_of(rng, p.seed_sums) if p.seed_sums.shape[0] > 0 else poisson(rng, p.seed_mean, MAX_SHARES)


@inlined
def reset(p, s, rng, number):
    """Clear the book and seed it around the initial mid. No seeded share moves cash."""
    clear(s, p.priority)
    s.core.account[:] = 0
    s.core.numbers[MID] = p.mid
    placed = np.int64(0)
    rounds = 0
    top = s.ladder.shape[0] - 1
    while placed < p.book_size and rounds < MAX_SEEDS:
        rounds += 1
        # in the lineage's order, so that both worlds seed the same law
        below = p.mid - (0.5 * p.spread + 0.25 * p.spread * normal(rng))
        above = p.mid + (0.5 * p.spread + 0.25 * p.spread * normal(rng))
        n_bid = _seed(p, rng)
        n_ask = _seed(p, rng)
        bid = min(max(np.int64(math.floor(below + 0.5)), 0), top)
        ask = min(max(np.int64(math.floor(above + 0.5)), 0), top)
        if n_bid > 0:
            place(s, BID, bid, n_bid, p.maker_owns_seeds)
        if n_ask > 0:
            place(s, ASK, ask, n_ask, p.maker_owns_seeds)
        if s.core.meta[SIDE_TOTAL + BID] > 0 and s.core.meta[SIDE_TOTAL + ASK] > 0:
            _cross(p, s)
        placed += n_bid + n_ask
    _look(p, s)
    s.core.account[:] = 0
    _quoted(s)
    s.core.numbers[REVALUATION] = 0.0
    s.known[:] = 0
    s.listed[:] = 0


@inlined
def observe(p, s, out):
    """Write the last states (q_b, delta_b, q_a, delta_a), newest first, the time left, then the extras.

    Shares and currency; zeros if a side is empty.
    """
    if empty(s):
        s.core.seen[:] = 0.0
    else:
        if not p.shows_lot:
            _look(p, s)
        mid = s.core.numbers[MID]
        s.core.seen[0] = s.core.meta[SEEN_BID]
        s.core.seen[1] = (mid - s.core.meta[BEST + BID]) * p.tick
        s.core.seen[2] = s.core.meta[SEEN_ASK]
        s.core.seen[3] = (s.core.meta[BEST + ASK] - mid) * p.tick
    last = 4 * p.states
    for j in range(last - 1, 3, -1):
        out[j] = out[j - 4]
    for j in range(4):
        out[j] = s.core.seen[j]
    out[last] = (p.steps - s.core.account[CLOCK]) / p.steps
    if p.extras > 0:
        out[last + 1] = s.core.account[INVENTORY]
    if p.extras > 1:
        out[last + 2] = (s.core.numbers[MID] - p.mid) * p.tick
        out[last + 3] = s.core.account[CASH] * p.tick


@inlined
def mirror(p, s, rng, quote):
    """The lineage's naive maker: n ~ Poisson(3/4 q), delta ~ N(delta, delta/4) of what others show on each side."""
    for side in range(2):
        quote[2 * side] = poisson(rng, 0.75 * shown(p, s, side, s.core.seen[2 * side]), MAX_SHARES)
        quote[2 * side + 1] = s.core.seen[2 * side + 1] * (1.0 + 0.25 * normal(rng))


@inlined
def _level(p, s, side, delta):
    """The level of a quote at distance delta (currency) on one side."""
    ticks = min(max(delta, 0.0) / p.tick, 2.0 * s.ladder.shape[0])
    price = s.core.numbers[MID] - ticks if side == BID else s.core.numbers[MID] + ticks
    if p.rounds_to_nearest:
        return np.int64(math.floor(price + 0.5))
    if side == BID:  # the margin keeps 0.29 / 0.01 = 28.999... on its own tick
        return np.int64(math.floor(price + 1e-7))
    return np.int64(math.ceil(price - 1e-7))


@inlined
def _submit(p, s, side, n, delta):
    """The maker's order on one side: n whole shares at distance delta (currency); n < 0 withdraws shares."""
    if not abs(n) >= 0.5 or not delta == delta:  # also when n or delta is not a number
        return
    shares = np.int64(math.floor(min(abs(n), MAX_SHARES) + 0.5))
    level = _level(p, s, side, delta)
    if n < 0:
        if p.maker_owns_seeds == MAKER:
            take(s, side, shares, level)
        else:
            cancel(s, side, shares, level)
    elif 0 <= level < s.ladder.shape[0]:  # further away nothing can reach it before the end
        met = place(s, side, level, shares, MAKER)
        others = met[0] - met[1]
        _trade(s, side, others, met[2] - met[3] + others * p.base)
    if p.drops_crossed:
        stale = n > 0 and s.core.meta[SIDE_TOTAL + side] > 0 and s.core.meta[BEST + side] != level
        _cross(p, s)
        if not stale:
            _look(p, s)


@inlined
def _quoted(s):
    """Note the best quotes as they stand; the mid where a side is empty."""
    mid = s.core.numbers[MID]
    s.core.numbers[QUOTED_BID] = s.core.meta[BEST + BID] if s.core.meta[SIDE_TOTAL + BID] > 0 else mid
    s.core.numbers[QUOTED_ASK] = s.core.meta[BEST + ASK] if s.core.meta[SIDE_TOTAL + ASK] > 0 else mid


@inlined
def act(p, s, quote):
    """The maker's action (n_b, delta_b, n_a, delta_a) in shares and currency, the bid first."""
    a = s.core.account
    a[BOUGHT] = a[SOLD] = a[PAID] = a[RECEIVED] = 0
    a[CASH_BEFORE], a[INVENTORY_BEFORE] = a[CASH], a[INVENTORY]
    _submit(p, s, BID, quote[0], quote[1])
    _submit(p, s, ASK, quote[2], quote[3])
    _quoted(s)
    if p.changes.shape[0] > 0 and s.core.account[CLOCK] % p.every == 0:
        note_levels(p, s)


@inlined
def note_levels(p, s):
    """Append (step, level, shares, the maker's own) to the recording for every level that is no longer as known.

    Shares to sell count below zero. What finds no room is left out, and noticed by whoever asked for the recording.
    """
    at = s.core.account[NOTED]
    top = s.core.meta[BEST + BID] if s.core.meta[SIDE_TOTAL + BID] > 0 else np.int64(-1)
    for word in range(s.listed.shape[0]):
        left = s.held[word] | s.listed[word]  # of all levels those that hold shares, or held some
        s.listed[word] = s.held[word]
        while left != 0:
            level = 64 * word + lowest_bit(left)
            left &= left - ONE
            shares = s.ladder[level, TOTAL] if level <= top else -s.ladder[level, TOTAL]
            if shares == s.known[level, 0] and s.ladder[level, OWN] == s.known[level, 1]:
                continue
            s.known[level, 0] = shares
            s.known[level, 1] = s.ladder[level, OWN]
            if at < p.changes.shape[0]:
                p.changes[at, 0] = s.core.account[CLOCK]
                p.changes[at, 1] = level
                p.changes[at, 2] = shares
                p.changes[at, 3] = s.ladder[level, OWN]
            at += 1
    s.core.account[NOTED] = at


@inlined
def advance(p, s, rng):
    """One step after the action: mid, crossed orders, market orders; then whether the book still has both sides."""
    if p.discards and empty(s):
        return _discard(s)
    before = s.core.numbers[MID]
    mid = before + (p.drift + p.scale * normal(rng))
    # the ladder reaches ten standard deviations; past its end there is nothing left to trade
    mid = min(max(mid, 1.0), s.ladder.shape[0] - 2.0)
    s.core.numbers[MID] = mid
    s.core.numbers[REVALUATION] = s.core.account[INVENTORY] * ((mid - before) * p.tick)
    if not p.drops_crossed or not empty(s):
        _cross(p, s)
    bid, ask = s.core.meta[BEST + BID], s.core.meta[BEST + ASK]
    q_bid = touch(p, s, BID)
    q_ask = touch(p, s, ASK)
    buy_rate = p.dt * _arrival_rate(p, (ask - mid) * p.tick, q_ask)
    sell_rate = p.dt * _arrival_rate(p, (mid - bid) * p.tick, q_bid)
    if p.shows_lot:
        _look(p, s)
    buy_cap = s.core.meta[SIDE_TOTAL + ASK]
    sell_cap = s.core.meta[SIDE_TOTAL + BID]
    if not p.walks:
        buy_cap = s.ladder[ask, TOTAL] if q_ask > 0 else np.int64(0)
        sell_cap = s.ladder[bid, TOTAL] if q_bid > 0 else np.int64(0)
    buys = arriving(p, rng, buy_rate, buy_cap)
    sells = arriving(p, rng, sell_rate, sell_cap)
    whole = np.int64(0)
    if buys > 0:
        n = take(s, ASK, buys, s.ladder.shape[0])
        _trade(s, ASK, n[1], n[3] + n[1] * p.base)
        whole += n[4]
    if sells > 0:
        n = take(s, BID, sells, np.int64(-1))
        _trade(s, BID, n[1], n[3] + n[1] * p.base)
        whole += n[4]
    if p.shows_lot and whole > 0:
        _look(p, s)
    over = not p.uniform and empty(s)
    if over and p.discards:
        return _discard(s)
    s.core.account[CLOCK] += 1
    return ENDED if over else GOES_ON


@inlined
def _discard(s):
    """Lineage: the step that empties the book leaves no trace in the account."""
    s.core.account[CASH] = s.core.account[CASH_BEFORE]
    s.core.account[INVENTORY] = s.core.account[INVENTORY_BEFORE]
    return DISCARDED


@inlined
def account(p, s):
    """The maker's account."""
    a, mid = s.core.account, s.core.numbers[MID]
    return Account(
        time=a[CLOCK] * p.dt,
        elapsed=p.dt,
        cash=a[CASH] * p.tick,
        inventory=a[INVENTORY],
        mid=(mid + p.base) * p.tick,
        value=(a[CASH] + a[INVENTORY] * (mid + p.base)) * p.tick,
        bid=(s.core.numbers[QUOTED_BID] + p.base) * p.tick,
        ask=(s.core.numbers[QUOTED_ASK] + p.base) * p.tick,
        cash_change=(a[CASH] - a[CASH_BEFORE]) * p.tick,
        bought=a[BOUGHT],
        sold=a[SOLD],
        paid=a[PAID] * p.tick,
        received=a[RECEIVED] * p.tick,
        revaluation=s.core.numbers[REVALUATION],
    )
