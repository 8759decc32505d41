"""The `book` market: a diffusing mid price, a book of resting shares around it and Poisson market orders.

Prices inside are levels of the ladder: ticks above `base`, the mid a float in the same unit. Rules are an
int64 vector and numbers a float64 vector, so that one compiled kernel serves every combination.
"""

import math
from typing import Any

import numpy as np

from mmrl.kernels.jit import law
from mmrl.kernels.random import normal, poisson
from mmrl.markets.book.order_book import (
    ASK,
    BEST,
    BID,
    HEAD,
    MAKER,
    OWN,
    SHARES,
    SIDE_OWN,
    SIDE_TOTAL,
    SIZE,
    TIME,
    TOTAL,
    cancel,
    clear,
    place,
    rest,
    take,
)

# Integer rules.
R_OWNER, R_DROP, R_WALK, R_REFILL, R_LOT, R_PRIORITY, R_DISCARD, R_NEAREST, R_UNIFORM = range(9)
R_BOOK_SIZE, R_NT, R_LEVELS = 9, 10, 11
# Numbers: lengths in ticks, times in steps.
P_MID, P_BASE, P_TICK, P_DRIFT, P_SCALE, P_SPREAD, P_DT, P_B0 = range(8)
# Account of the maker: cash in ticks, inventory in shares.
CASH, INVENTORY = 0, 1
# What is seen of the touch: sizes that the lineage rule leaves stale until a whole lot is gone.
SEEN_BID, SEEN_ASK = 9, 10  # places in the book's meta

MAX_SHARES = np.int64(1_000_000)
_REFILL = np.int64(100)
_MAX_SEEDS = 1000


def parameters(market: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rules int64[12] and numbers float64[14] of a market configuration."""
    duration = market.nt * market.dt
    reach = 3 * market.seed_spread + abs(market.drift) * duration + 10 * market.volatility * duration**0.5
    half = math.ceil(reach / market.tick) + 10
    mid = market.midprice / market.tick
    base = math.floor(mid) - half
    rules = np.array(
        [
            market.owner == "maker",
            market.crossed == "dropped",
            market.market_order == "walk",
            market.exhausted == "refilled",
            market.touch_size == "lot",
            SIZE if market.priority == "size" else TIME,
            market.emptying_step == "discarded",
            market.rounding == "nearest",
            market.uniform,
            market.book_size,
            market.nt,
            2 * half + 1,
        ],
        np.int64,
    )
    numbers = [mid - base, base, market.tick, market.drift * market.dt / market.tick]
    numbers += [market.volatility * market.dt**0.5 / market.tick, market.seed_spread / market.tick, market.dt]
    return rules, np.array(numbers + list(market.intensity) + [market.log_size_limit], np.float64)


def lot_capacity(rules: np.ndarray) -> int:
    """Lots that can be alive at once: the seeds, two orders and two refills a step."""
    return 2 * _MAX_SEEDS + 4 * int(rules[R_NT]) + 16


@law
def intensity(p, delta, q):
    """Arrival rate in shares per ms of market orders against q shares at distance delta (currency)."""
    if q <= 0:
        return 0.0
    x = math.log1p(max(delta, 0.0))
    b = P_B0
    y = min(math.log1p(q), p[b + 6])
    power = p[b] + p[b + 1] * x + p[b + 2] * x * x + p[b + 3] * y + p[b + 4] * y * y
    return math.exp(power + p[b + 5] * math.log1p(max(delta, 0.0) + q))


@law
def touch(ladder, lots, meta, rules, side):
    """Size at the best quote of a side: all its shares, or its first lot under the lineage rule."""
    if meta[SIDE_TOTAL + side] == 0:
        return np.int64(0)
    level = meta[BEST + side]
    if rules[R_LOT]:
        return lots[ladder[level, HEAD], SHARES]
    return ladder[level, TOTAL]


@law
def shown(ladder, meta, rules, side, size):
    """Size at the best quote that others show: a maker who mirrored its own shares would grow without bound."""
    if rules[R_OWNER] or meta[SIDE_TOTAL + side] == 0:
        return np.float64(size)
    return np.float64(max(size - ladder[meta[BEST + side], OWN], 0))


@law
def _look(ladder, lots, meta, rules):
    meta[SEEN_BID] = touch(ladder, lots, meta, rules, BID)
    meta[SEEN_ASK] = touch(ladder, lots, meta, rules, ASK)


@law
def observe(ladder, lots, meta, rules, p, mid, out):
    """Write (q_b, delta_b, q_a, delta_a) to out[4], shares and currency; zeros if a side is empty."""
    if meta[SIDE_TOTAL + BID] == 0 or meta[SIDE_TOTAL + ASK] == 0:
        out[:4] = 0.0
        return
    if not rules[R_LOT]:
        _look(ladder, lots, meta, rules)
    out[0] = meta[SEEN_BID]
    out[1] = (mid - meta[BEST + BID]) * p[P_TICK]
    out[2] = meta[SEEN_ASK]
    out[3] = (meta[BEST + ASK] - mid) * p[P_TICK]


@law
def _cross(ladder, lots, meta, rules, p, account, mid):
    """Orders that the mid has passed: the maker's are filled at their limit, or all are dropped (lineage)."""
    if meta[SIDE_TOTAL + BID] > 0 and meta[BEST + BID] > mid:
        n = take(ladder, lots, meta, BID, meta[SIDE_TOTAL + BID], np.int64(math.floor(mid)) + 1)
        if not rules[R_DROP]:
            account[CASH] -= n[3] + n[1] * np.int64(p[P_BASE])
            account[INVENTORY] += n[1]
        if rules[R_REFILL] and meta[SIDE_TOTAL + BID] == 0:
            level = np.int64(math.floor(mid + 0.5)) - 1
            rest(ladder, lots, meta, BID, level, _REFILL, rules[R_OWNER])
    if meta[SIDE_TOTAL + ASK] > 0 and meta[BEST + ASK] < mid:
        n = take(ladder, lots, meta, ASK, meta[SIDE_TOTAL + ASK], np.int64(math.ceil(mid)) - 1)
        if not rules[R_DROP]:
            account[CASH] += n[3] + n[1] * np.int64(p[P_BASE])
            account[INVENTORY] -= n[1]
        if rules[R_REFILL] and meta[SIDE_TOTAL + ASK] == 0:
            level = np.int64(math.floor(mid + 0.5)) + 1
            rest(ladder, lots, meta, ASK, level, _REFILL, rules[R_OWNER])


@law
def seed(ladder, lots, meta, rules, p, state, account):
    """Clear the book and seed it around the initial mid; returns the mid. No seeded share moves cash."""
    clear(ladder, lots, meta, rules[R_PRIORITY])
    mid = p[P_MID]
    spread = p[P_SPREAD]
    rate = 2.0 * rules[R_BOOK_SIZE] / 1000.0
    placed = np.int64(0)
    rounds = 0
    top = ladder.shape[0] - 1
    while placed < rules[R_BOOK_SIZE] and rounds < _MAX_SEEDS:
        rounds += 1
        # in the lineage's order, so that both worlds seed the same law
        below = mid - (0.5 * spread + 0.25 * spread * normal(state))
        above = mid + (0.5 * spread + 0.25 * spread * normal(state))
        n_bid = poisson(state, rate, MAX_SHARES)
        n_ask = poisson(state, rate, MAX_SHARES)
        bid = min(max(np.int64(math.floor(below + 0.5)), 0), top)
        ask = min(max(np.int64(math.floor(above + 0.5)), 0), top)
        if n_bid > 0:
            place(ladder, lots, meta, BID, bid, n_bid, rules[R_OWNER])
        if n_ask > 0:
            place(ladder, lots, meta, ASK, ask, n_ask, rules[R_OWNER])
        if meta[SIDE_TOTAL + BID] > 0 and meta[SIDE_TOTAL + ASK] > 0:
            _cross(ladder, lots, meta, rules, p, account, mid)
        placed += n_bid + n_ask
    _look(ladder, lots, meta, rules)
    account[CASH] = 0
    account[INVENTORY] = 0
    return mid


@law
def _submit(ladder, lots, meta, rules, p, account, mid, side, n, delta):
    """The maker's order on one side: n whole shares at distance delta (currency); n < 0 withdraws shares."""
    if not abs(n) >= 0.5 or not delta == delta:  # also when n or delta is not a number
        return
    shares = np.int64(math.floor(min(abs(n), MAX_SHARES) + 0.5))
    ticks = min(max(delta, 0.0) / p[P_TICK], 2.0 * ladder.shape[0])
    price = mid - ticks if side == BID else mid + ticks
    if rules[R_NEAREST]:
        level = np.int64(math.floor(price + 0.5))
    elif side == BID:  # the margin keeps 0.29 / 0.01 = 28.999... on its own tick
        level = np.int64(math.floor(price + 1e-7))
    else:
        level = np.int64(math.ceil(price - 1e-7))
    sign = 1 if side == ASK else -1
    if n < 0:
        if rules[R_OWNER] == MAKER:
            take(ladder, lots, meta, side, shares, level)
        else:
            cancel(ladder, lots, meta, side, shares, level)
    elif 0 <= level < ladder.shape[0]:  # further away nothing can reach it before the end
        met = place(ladder, lots, meta, side, level, shares, MAKER)
        others = met[0] - met[1]
        account[CASH] += sign * (met[2] - met[3] + others * np.int64(p[P_BASE]))
        account[INVENTORY] -= sign * others
    if rules[R_DROP]:
        stale = n > 0 and meta[SIDE_TOTAL + side] > 0 and meta[BEST + side] != level
        _cross(ladder, lots, meta, rules, p, account, mid)
        if not stale:
            _look(ladder, lots, meta, rules)


@law
def act(ladder, lots, meta, rules, p, account, mid, action):
    """The maker's action (n_b, delta_b, n_a, delta_a) in shares and currency, the bid first."""
    _submit(ladder, lots, meta, rules, p, account, mid, BID, action[0], action[1])
    _submit(ladder, lots, meta, rules, p, account, mid, ASK, action[2], action[3])


@law
def empty(meta):
    """Whether a side holds no shares."""
    return meta[SIDE_TOTAL + BID] == 0 or meta[SIDE_TOTAL + ASK] == 0


@law
def advance(ladder, lots, meta, rules, p, state, account, mid):
    """One step of the market after the action: mid, crossed orders, market orders; returns the new mid."""
    mid += p[P_DRIFT] + p[P_SCALE] * normal(state)
    # the ladder reaches ten standard deviations; past its end there is nothing left to trade
    mid = min(max(mid, 1.0), ladder.shape[0] - 2.0)
    if rules[R_DROP] == 0 or not empty(meta):
        _cross(ladder, lots, meta, rules, p, account, mid)
    bid, ask = meta[BEST + BID], meta[BEST + ASK]
    q_bid = touch(ladder, lots, meta, rules, BID)
    q_ask = touch(ladder, lots, meta, rules, ASK)
    buy_rate = p[P_DT] * intensity(p, (ask - mid) * p[P_TICK], q_ask)
    sell_rate = p[P_DT] * intensity(p, (mid - bid) * p[P_TICK], q_bid)
    if rules[R_LOT]:
        _look(ladder, lots, meta, rules)
    buy_cap = meta[SIDE_TOTAL + ASK]
    sell_cap = meta[SIDE_TOTAL + BID]
    if not rules[R_WALK]:
        buy_cap = ladder[ask, TOTAL] if q_ask > 0 else np.int64(0)
        sell_cap = ladder[bid, TOTAL] if q_bid > 0 else np.int64(0)
    buys = poisson(state, buy_rate, buy_cap)
    sells = poisson(state, sell_rate, sell_cap)
    whole = np.int64(0)
    base = np.int64(p[P_BASE])
    if buys > 0:
        n = take(ladder, lots, meta, ASK, buys, ladder.shape[0])
        account[CASH] += n[3] + n[1] * base
        account[INVENTORY] -= n[1]
        whole += n[4]
    if sells > 0:
        n = take(ladder, lots, meta, BID, sells, np.int64(-1))
        account[CASH] -= n[3] + n[1] * base
        account[INVENTORY] += n[1]
        whole += n[4]
    if rules[R_LOT] and whole > 0:
        _look(ladder, lots, meta, rules)
    return mid


def maker_shares(meta: np.ndarray) -> tuple[int, int]:
    """The maker's own resting shares (bid, ask)."""
    return int(meta[SIDE_OWN + BID]), int(meta[SIDE_OWN + ASK])
