"""Hawkes process of limit orders, cancellations and market orders of both sides: who brings whom, and how soon.

The rate of kind a on side s is mu_a + sum over exponentials p, kinds b and sides u of beta_p n_p[a, b, s = u or not]
R_p,b,u, where R_p,b,u = sum over past events of b on side u of exp(-beta_p (t - t_i)): as in `hawkes.py`, and as the
market `order-flow` has it with `hawkes_kinds = "all"` (Bacry, Mastromatteo & Muzy, Market Microstructure and Liquidity
1(1), 2015, section 4; Large, Journal of Financial Markets 10(1), 2007). Both sides are alike. Events of one time stand
in the order of the source, a microsecond apart: no source tells shorter waits from none.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmrl.calibrate.blocks import SECOND, Floats, Ints, estimates, numbered
from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.excitation_kinds import KINDS, PAIRS, STREAMS, integrals, pass_over
from mmrl.calibrate.hawkes import MOST_EXPONENTIALS, NOTHING
from mmrl.calibrate.market_orders import market_orders
from mmrl.calibrate.minimise import minimise
from mmrl.calibrate.residuals import Residuals, kolmogorov_smirnov
from mmrl.data.events import ASK, CANCEL, LIMIT, NO_ORDER, Events
from mmrl.settings.errors import ConfigError

FEWEST_EVENTS = 50
"""Of each kind."""
SHORTEST = 1e-6
"""Seconds between two events of one time."""
STEPS = 1500
NO_BOUND = 2**62
LIMIT_KIND, CANCEL_KIND, MARKET_KIND = range(KINDS)


@dataclass(frozen=True)
class Marks:
    """Events of a span of time, in the order of the source."""

    wait: Floats
    """Seconds after the event before."""
    stream: Ints
    """2 * kind + side; 0 the bid."""
    last: float
    """Seconds after the last event."""
    block: Ints
    """Block of time in which each wait ends, that after the last event too."""
    blocks: int

    @property
    def seconds(self) -> float:
        """The whole span."""
        return float(self.wait.sum()) + self.last


@dataclass(frozen=True)
class HawkesKinds:
    """A fitted process; rates a second and side."""

    mu: tuple[Estimate, ...]
    """Of limit orders, cancellations, market orders that nothing excited."""
    rate: tuple[float, ...]
    """Of all of them."""
    numbers: tuple[Estimate, ...]
    """Events that one excites directly, [exponential, excited kind, exciting kind, same or other side], flat."""
    decays: tuple[Estimate, ...]
    """beta, slowest first."""
    branching: float
    """Spectral radius of all numbers; below 1 where the process is stationary."""
    log_likelihood: float
    gain: float
    """Log-likelihood over that of constant rates, one a kind."""
    residuals: Residuals
    """Of all streams, each rescaled by its own rate."""
    converged: bool


def marks(events: Events, furthest: int = NO_BOUND) -> Marks:
    """Limit orders, cancellations, and market orders (all executions of one as one) of a day.

    Limit orders only 1 to `furthest` ticks from the opposite best price, and cancellations of those orders, wherever
    prices have gone; of orders whose beginning is not known, those that stand so near.
    """
    market = market_orders(events)
    near = _near(events, furthest)
    kinds = ((LIMIT, LIMIT_KIND), (CANCEL, CANCEL_KIND))
    parts = [(np.flatnonzero((events.kind == each) & near), kind) for each, kind in kinds]
    row = np.concatenate([*(rows for rows, _ in parts), market.row])
    kind = np.concatenate([*(np.full(len(rows), k) for rows, k in parts), np.full(len(market.row), MARKET_KIND)])
    side = np.concatenate([*(events.side[rows] == ASK for rows, _ in parts), market.side == ASK])
    order = np.argsort(row, kind="stable")
    time = events.time_ns[row[order]]
    start, end = int(events.time_ns[0]), int(events.time_ns[-1])
    wait = np.maximum(np.diff(np.append(start, time)) / SECOND, SHORTEST)
    block, blocks = numbered(np.concatenate([[start], time, [end]]))
    return Marks(wait, (2 * kind + side)[order].astype(np.int64), (end - int(time[-1])) / SECOND, block[1:], blocks)


def _near(events: Events, furthest: int) -> NDArray[np.bool_]:
    """Whether each order was sent at most so far from the opposite best, or stands there, if nobody saw it come."""
    out = np.where(events.side == ASK, events.price - events.bid_price, events.ask_price - events.price)
    near = (out >= 1) & (out <= furthest)
    sent = np.flatnonzero((events.kind == LIMIT) & (events.order != NO_ORDER))
    ids, first = np.unique(events.order[sent], return_index=True)
    if not len(ids):
        return near
    at = np.minimum(np.searchsorted(ids, events.order), len(ids) - 1)
    seen = (ids[at] == events.order) & (sent[first[at]] <= np.arange(len(events)))
    return np.where(seen & (events.kind == CANCEL), near[sent[first[at]]], near)


def fit_kinds(events: Events, exponentials: int = 3, furthest: int = NO_BOUND) -> HawkesKinds:
    """Maximum likelihood of all parameters by BFGS in their logarithms, which keeps them positive.

    Errors by the sandwich, clustered by 5-minute block. Raises ConfigError for fewer than 50 events of a kind.
    `furthest` as in `marks`.
    """
    if not 1 <= exponentials <= MOST_EXPONENTIALS:
        raise ConfigError(f"exponentials = {exponentials}: allowed are 1 to {MOST_EXPONENTIALS}")
    data = marks(events, furthest)
    counts = np.bincount(data.stream >> 1, minlength=KINDS).tolist()
    for name, count in zip(("limit orders", "cancellations", "market orders"), counts, strict=True):
        if count < FEWEST_EVENTS:
            raise ConfigError(
                f"{count} {name}: a Hawkes process of all kinds needs {FEWEST_EVENTS} of each; give more data"
            )
    return fit_marks(data, exponentials)


def fit_marks(data: Marks, exponentials: int) -> HawkesKinds:
    """The same for events that are already chosen."""
    count = len(data.wait)
    per_kind = np.bincount(data.stream >> 1, minlength=KINDS)

    def likelihood(values: Floats) -> tuple[float, Floats]:
        return pass_over(data.wait, data.stream, data.last, data.block, data.blocks, values, exponentials)

    def cost(logs: Floats) -> tuple[float, Floats]:
        values = np.exp(np.clip(logs, -40, 40))
        value, gradient = likelihood(values)
        return -value / count, -gradient.sum(axis=0) * values / count

    logs, converged = minimise(cost, np.log(_start(data, exponentials)), steps=STEPS)
    values = _slowest_first(np.exp(logs), exponentials)
    value, scores = likelihood(values)
    found = _errors(data, values, scores, likelihood)
    constant = float((per_kind * np.log(per_kind / (2 * data.seconds))).sum() - count)
    split = KINDS + PAIRS * exponentials
    whole = values[KINDS:split].reshape(exponentials, KINDS, KINDS, 2).sum(axis=(0, 3))
    return HawkesKinds(
        mu=found[:KINDS],
        rate=tuple(float(n) / (2 * data.seconds) for n in per_kind),
        numbers=found[KINDS:split],
        decays=found[split:],
        branching=float(np.abs(np.linalg.eigvals(whole)).max()),
        log_likelihood=value,
        gain=value - constant,
        residuals=kolmogorov_smirnov(_residuals(data, values, exponentials)),
        converged=converged,
    )


def _residuals(data: Marks, values: Floats, exponentials: int) -> Floats:
    """Integrals of each stream's rate from one of its events to the next."""
    upto = np.cumsum(integrals(data.wait, data.stream, data.last, values, exponentials)[:-1], axis=0)
    return np.concatenate([np.diff(upto[data.stream == k, k]) for k in range(STREAMS)])


def _start(data: Marks, exponentials: int) -> Floats:
    """Half of all events excited, mostly on their own side, with decays spread over those of the waits."""
    rates = np.maximum(np.bincount(data.stream >> 1, minlength=KINDS), 1) / (2 * data.seconds)
    shares = (np.arange(exponentials) + 0.5) / exponentials
    decays = 1 / np.quantile(data.wait, shares)[::-1] * 1.5 ** np.arange(exponentials)
    side = np.array([0.4, 0.1])
    numbers = rates[:, None, None] / rates[None, :, None] * side / (KINDS * exponentials)
    return np.concatenate([rates / 2, np.tile(numbers.ravel(), exponentials), decays])


def _slowest_first(values: Floats, exponentials: int) -> Floats:
    split = KINDS + PAIRS * exponentials
    order = np.argsort(values[split:])
    numbers = values[KINDS:split].reshape(exponentials, PAIRS)[order]
    return np.concatenate([values[:KINDS], numbers.ravel(), values[split:][order]])


def _errors(data: Marks, values: Floats, scores: Floats, likelihood: object) -> tuple[Estimate, ...]:
    """Sandwich errors; NaN for what lies at the edge or is not identified."""
    free = values > NOTHING
    columns = []
    for i, value in enumerate(values):
        step = 1e-5 * max(value, 1e-8)
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[i] += sign * step
            ends.append(likelihood(moved)[1].sum(axis=0))  # type: ignore[operator]
        columns.append((ends[1] - ends[0]) / (2 * step))
    hessian = np.stack(columns, axis=1)
    hessian = ((hessian + hessian.T) / 2)[np.ix_(free, free)]
    influence = np.full((data.blocks, len(values)), math.nan)
    with suppress(np.linalg.LinAlgError):
        influence[:, free] = scores[:, free] @ np.linalg.inv(hessian)
    return estimates(values, influence)
