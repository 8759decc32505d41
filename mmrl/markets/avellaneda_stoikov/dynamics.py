"""Avellaneda & Stoikov (Quantitative Finance 8(3), 2008): one share a side, fills A exp(-k delta)."""

import math
from typing import NamedTuple

import numpy as np

from mmrl.kernels.account import GOES_ON, Account
from mmrl.kernels.elementary import exp
from mmrl.kernels.jit import inlined, record_type
from mmrl.kernels.random import next_word, uniform
from mmrl.markets.avellaneda_stoikov.settings import Settings

_TWO = np.uint64(2)


class Parameters(NamedTuple):
    """The numbers of the market; time in units of the horizon's."""

    mid: float
    jump: float
    """sigma sqrt(dt), by which the mid moves up or down in a step."""
    k: float
    rate: float
    """A dt."""
    log_rate: float
    """Its logarithm."""
    poisson: int
    dt: float
    steps: int
    horizon: float
    start_inventory: int


MID, CASH, CASH_BEFORE, BID_DISTANCE, ASK_DISTANCE, BID, ASK, PAID, RECEIVED, REVALUATION = range(10)
MONEY = 10
INVENTORY, BOUGHT, SOLD, CLOCK = range(4)
SHARES = 4
STATE = record_type([("money", np.float64, (MONEY,)), ("shares", np.int64, (SHARES,))])
"""The maker's account, money in currency."""


def parameters(market: Settings) -> Parameters:
    """The parameters of a market's settings."""
    return Parameters(
        mid=market.midprice,
        jump=market.sigma * math.sqrt(market.dt),
        k=market.k,
        rate=market.arrival * market.dt,
        log_rate=math.log(market.arrival * market.dt) if market.arrival > 0.0 else -math.inf,
        poisson=int(market.fill == "poisson"),
        dt=market.dt,
        steps=market.nt,
        horizon=market.horizon,
        start_inventory=market.start_inventory,
    )


@inlined
def start_inventory(most, number):
    """Inventory that trajectory `number` starts with: none if even, else one of -most .. most in turn.

    Starts where the market seldom leads let rare positions be learned (exploring starts: Sutton & Barto 2018, ch. 5).
    """
    if number % 2 == 0:
        return 0
    return (number // 2) % (2 * most + 1) - most


@inlined
def fill_probability(p, delta):
    """Probability that a quote at distance delta, which is not clipped at 0, is hit within one step."""
    rate = p.rate * exp(min(-p.k * delta, 50.0))
    if p.poisson:
        return -math.expm1(-rate)
    return min(1.0, rate)


@inlined
def filled(p, delta, u):
    """1 if the uniform number u lies below `fill_probability`, else 0; bounds mostly decide that.

    u < 1 - exp(-rate) where rate > -ln(1 - u), and u + u^2 / 2 <= -ln(1 - u) <= u + u^2 / 2 + u^3 / (3 (1 - u)). What
    needs the rate, and so the inventory, is one comparison: the next step waits for it. No branch is left to chance.
    """
    rate = exp(p.log_rate - p.k * delta)
    if not p.poisson:
        return np.int64(u < rate)
    least = u + 0.5 * u * u
    gap = u * u * u / (3.0 * (1.0 - u))
    hit = np.int64(rate > least)
    if abs(rate - (least + 0.5 * gap)) <= 0.51 * gap:  # one comparison: two would be two branches
        hit = np.int64(u < 1.0 - exp(-rate))
    return hit


@inlined
def reset(p, s, rng, number):
    """Time 0; the starting inventory is paid for at the mid."""
    q = np.int64(start_inventory(p.start_inventory, number))
    s.shares[:] = 0
    s.shares[INVENTORY] = q
    s.money[:] = 0.0
    s.money[MID] = p.mid
    s.money[CASH] = -q * p.mid
    s.money[BID] = s.money[ASK] = p.mid


@inlined
def observe(p, s, out):
    """Write the inventory and the share of the time that is left."""
    out[0] = s.shares[INVENTORY]
    out[1] = (p.steps - s.shares[CLOCK]) / p.steps


@inlined
def act(p, s, quote):
    """The maker's quotes: distances of bid and ask from the mid, one share each."""
    s.money[BID_DISTANCE], s.money[ASK_DISTANCE] = quote[0], quote[1]
    s.money[BID] = s.money[MID] - quote[0]
    s.money[ASK] = s.money[MID] + quote[1]


@inlined
def advance(p, s, rng):
    """One step: fills at the quotes, then the mid moves +-sigma sqrt(dt)."""
    money, shares = s.money, s.shares
    bid, ask = money[BID_DISTANCE], money[ASK_DISTANCE]
    buys = filled(p, bid, uniform(rng))
    sells = filled(p, ask, uniform(rng))
    up = np.float64((next_word(rng) >> np.uint64(62)) & _TWO)  # 2 or 0
    before = money[MID]
    money[CASH_BEFORE] = money[CASH]
    money[PAID], money[RECEIVED] = buys * money[BID], sells * money[ASK]
    money[CASH] = money[CASH] - money[PAID] + money[RECEIVED]
    shares[BOUGHT], shares[SOLD] = buys, sells
    shares[INVENTORY] += buys - sells
    money[MID] = before + p.jump * (up - 1.0)  # what a coin decides is no branch
    money[REVALUATION] = shares[INVENTORY] * (money[MID] - before)
    shares[CLOCK] += 1
    return GOES_ON


@inlined
def account(p, s):
    """The maker's account."""
    money, shares = s.money, s.shares
    return Account(
        time=shares[CLOCK] * p.dt,
        elapsed=p.dt,
        cash=money[CASH],
        inventory=shares[INVENTORY],
        mid=money[MID],
        value=money[CASH] + shares[INVENTORY] * money[MID],
        bid=money[BID],
        ask=money[ASK],
        cash_change=money[CASH] - money[CASH_BEFORE],
        bought=shares[BOUGHT],
        sold=shares[SOLD],
        paid=money[PAID],
        received=money[RECEIVED],
        revaluation=money[REVALUATION],
    )
