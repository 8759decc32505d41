"""The book of `depletion = "redraw"` as two queues a tick apart: their rates, their pace, and where they can be solved.

Where a queue has lost its last order, the price moves a tick that way and both queues are drawn anew: Cont & de
Larrard, Price dynamics in a Markovian limit order market (SIAM Journal on Financial Mathematics 4, 2013). Nothing
stands behind the best prices, so that two queues are all there is.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmrl.markets.order_flow.settings import Settings

Float64 = npt.NDArray[np.float64]

TAIL = 1e-12
"""Weight of the longest queue that is told apart, relative to the most usual one."""
LONGEST = 30
"""Orders of others in a queue, beyond which the market is not solved."""
MOST_DECISIONS = 50_000_000
"""States of the book times decisions, beyond which it is not solved either."""


class Rates(NamedTuple):
    """Events a minute on one side, by the shares m = 0, 1, ... N + 1 of its queue: float64 [N + 2]."""

    limit: Float64
    cancel: Float64
    """Of each order of others."""
    market: Float64
    new: Float64
    """Probabilities of n = 0, 1, ... N orders in a queue that is drawn anew, [N + 1]."""

    @property
    def longest(self) -> int:
        """N, the most orders of others in a queue."""
        return self.new.size - 1


def _at(settings: Settings, shares: int) -> tuple[float, float, float]:
    """Rates of limit orders, of the cancellation of one order, and of market orders at a queue."""
    s = settings
    column = min(math.ceil(shares / s.unit), s.queue_sizes)
    market = s.market_rates[column] if s.market_law == "table" else 0.0
    if s.market_law == "spread-queue":  # ln S = 0: the spread is one tick
        b, y = s.market_intensity, math.log1p(shares / s.unit)
        market = math.exp(min(b[0] + b[3] * y + b[4] * y * y, 50.0))
    return s.limit_rates[column], s.cancel_rates[column], market


def rates(settings: Settings, longest: int | None = None) -> Rates:
    """The rates of one side for queues of up to `longest` orders, found where left out: `LONGEST` + 1 at most.

    For orders of one share. Queues become no longer where the rate of limit orders is 0 there; else longer ones are so
    rare (`TAIL`) that leaving them out changes no digit that matters.
    """
    weights = np.trim_zeros(np.array(settings.redraw_weights, float), "b")
    if longest is None:
        longest, weight, most = weights.size, 1.0, 1.0
        while longest <= LONGEST:
            cancel, market = _at(settings, longest + 1)[1:]
            leaving = market + (longest + 1) * cancel
            weight *= _at(settings, longest)[0] / leaving if leaving else math.inf
            most = max(most, weight)
            if weight < TAIL * most:
                break
            longest += 1
    limit, cancels, markets = np.array([_at(settings, shares) for shares in range(longest + 2)]).T
    new = np.zeros(longest + 1)
    new[1 : weights.size + 1] = weights / weights.sum()
    return Rates(limit, cancels, markets, new)


@cache
def pace(settings: Settings) -> tuple[float, float]:
    """Events a minute, and moves of the price a minute, where no maker is there; for orders of one share.

    Both queues live as independent birth-death chains until one is empty: expected times in each pair of sizes solve
    a linear system, and a new pair begins.
    """
    r = rates(settings)
    n = np.arange(1, r.longest + 1)
    born, dies = np.where(n < r.longest, r.limit[n], 0.0), r.market[n] + n * r.cancel[n]
    one = np.diag(born[:-1], 1) + np.diag(dies[1:], -1) - np.diag(born + dies)
    both = np.kron(one, np.eye(n.size)) + np.kron(np.eye(n.size), one)
    time = np.linalg.solve(both.T, -np.kron(r.new[1:], r.new[1:]))
    events = np.add.outer(born + dies, born + dies).ravel()
    return float(time @ events / time.sum()), float(1.0 / time.sum())


def states(settings: Settings) -> int:
    """States of one side: orders of others, and where the maker's order stands among them if it has one."""
    longest = rates(settings).longest
    return longest + (longest + 1) * (longest + 2) // 2


def decisions(settings: Settings) -> int:
    """States of the whole market times the decisions of an episode."""
    return settings.nt * (2 * settings.position_limit + 1) * states(settings) ** 2


def unsolved(settings: Settings) -> str:
    """Why `optimum.py` does not solve the market, in a line for the user; empty where it does."""
    s = settings
    needed = {
        "depletion": "redraw",
        "decide_by": "events",
        "latency_law": "none",
        "efficient_price": "none",
        "hawkes_decays": (),
        "size_law": "constant",
        "limit_size": 1.0,
        "market_size": 1.0,
        "size_grid": (0, 1),
        "horizons": (),
    }
    for name, value in needed.items():
        if getattr(s, name) != value:
            found, wanted = (_shown(x) for x in (getattr(s, name), value))
            return f"it is solved with market.{name} = {wanted} only, not {found}"
    if rates(s).longest > LONGEST:
        return f"its queues are longer than {LONGEST} orders: raise market.cancel_rates, or let limit_rates end in 0"
    if decisions(s) > MOST_DECISIONS:
        return f"it has {decisions(s):.2g} states times decisions, solved are {MOST_DECISIONS:.0e}: lower market.nt"
    return ""


def _shown(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else repr(value)
