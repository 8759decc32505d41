"""The rules of the toy market as compiled functions."""

import math
from collections import namedtuple

import numpy as np

from mmrl.kernels.account import ENDED, GOES_ON, Account
from mmrl.kernels.jit import inlined, record_type
from mmrl.kernels.random import uniform
from toy_market.settings import Settings

MONEY = ("time", "elapsed", "cash", "mid", "bid", "ask", "cash_change", "paid", "received", "revaluation")
COUNTS = ("inventory", "bought", "sold", "step", "move")
STATE = record_type([(name, np.float64) for name in MONEY] + [(name, np.int64) for name in COUNTS])


Parameters = namedtuple("Parameters", "midprice k pace momentum limit steps")


def parameters(market: Settings) -> Parameters:
    """The parameters of a market's settings."""
    return Parameters(market.midprice, market.k, market.pace, market.momentum, market.limit, market.nt)


@inlined
def reset(p, s, rng, number):
    """The start of trajectory `number`: nothing held, nothing owed."""
    s.time = s.elapsed = s.cash = s.cash_change = s.paid = s.received = s.revaluation = 0.0
    s.inventory = s.bought = s.sold = s.step = 0
    s.mid = s.bid = s.ask = p.midprice
    s.move = 1 if uniform(rng) < 0.5 else -1


@inlined
def observe(p, s, out):
    """One number for each column of the spec."""
    out[0], out[1], out[2] = s.inventory, (p.steps - s.step) / p.steps, s.move


@inlined
def act(p, s, quote):
    """The maker's quotes: one share on each side, whole ticks from the mid, never on its other side."""
    s.bid = s.mid - max(np.rint(quote[0]), 0.0)
    s.ask = s.mid + max(np.rint(quote[1]), 0.0)


@inlined
def advance(p, s, rng):
    """One step: fills at the quotes, then the mid moves by a tick; the clock goes on by a random time."""
    s.bought = 1 if uniform(rng) < math.exp(-p.k * (s.mid - s.bid)) else 0
    s.sold = 1 if uniform(rng) < math.exp(-p.k * (s.ask - s.mid)) else 0
    s.paid, s.received = s.bought * s.bid, s.sold * s.ask
    s.cash_change = s.received - s.paid
    s.cash += s.cash_change
    s.inventory += s.bought - s.sold
    if uniform(rng) > (1.0 + p.momentum) / 2.0:
        s.move = -s.move
    s.mid += s.move
    s.revaluation = s.inventory * s.move
    s.elapsed = -p.pace * math.log(1.0 - uniform(rng))
    s.time += s.elapsed
    s.step += 1
    return ENDED if abs(s.inventory) > p.limit else GOES_ON


@inlined
def account(p, s):
    """The maker's account."""
    value = s.cash + s.inventory * s.mid
    return Account(
        s.time, s.elapsed, s.cash, s.inventory, s.mid, value, s.bid, s.ask,
        s.cash_change, s.bought, s.sold, s.paid, s.received, s.revaluation,
    )  # fmt: skip
