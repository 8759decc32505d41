"""Hawkes process of market orders of both sides, whose kernels are sums of exponentials.

The rate of orders against side s is mu_s + sum over exponentials p of beta_p (n_same_p R_s,p + n_cross_p R_-s,p), where
R_s,p = sum over past orders of side s of exp(-beta_p (t - t_i)): Hawkes (Biometrika 58(1), 1971); of market orders,
Bacry, Mastromatteo & Muzy (Market Microstructure and Liquidity 1(1), 2015). As the market `order-flow` has it: n is the
number of orders that one excites, and both sides excite alike.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import SECOND, Floats, Ints, block_sums, estimates, numbered
from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.excitation import pass_over
from mmrl.calibrate.market_orders import market_orders
from mmrl.calibrate.minimise import minimise
from mmrl.calibrate.residuals import Residuals, kolmogorov_smirnov
from mmrl.data.events import ASK, Events
from mmrl.settings.errors import ConfigError

MOST_EXPONENTIALS = 8
FEWEST_ORDERS = 50
NOTHING = 1e-6
"""Orders excited by one, below which they count as none: the value lies at the edge and has no error."""


@dataclass(frozen=True)
class Marks:
    """Market orders of a span of time."""

    time: Floats
    """Seconds since the start."""
    side: Ints
    """0 against the bid, 1 against the ask."""
    start_ns: int
    end: float
    """Seconds."""


@dataclass(frozen=True)
class Hawkes:
    """A fitted process; rates a second."""

    mu: tuple[Estimate, Estimate]
    """Orders against the bid and against the ask that nothing excited."""
    same: tuple[Estimate, ...]
    """Orders that each excites on its own side, by exponential, slowest first."""
    cross: tuple[Estimate, ...]
    decays: tuple[Estimate, ...]
    """beta."""
    branching: Estimate
    """Orders that one excites directly; below 1 where the process is stationary."""
    log_likelihood: float
    gain: float
    """Log-likelihood over that of one constant rate a side."""
    residuals: Residuals
    """Of both sides, each rescaled by its own rate."""
    orders: int
    converged: bool

    def values(self) -> Floats:
        """As `pass_over` takes them."""
        return np.array([e.value for e in (*self.mu, *self.same, *self.cross, *self.decays)])


def marks(events: Events) -> Marks:
    """The market orders of a day."""
    orders = market_orders(events)
    start = int(events.time_ns[0])
    end = float(events.time_ns[-1] - start) / SECOND
    return Marks((orders.time_ns - start) / SECOND, (orders.side == ASK).astype(np.int64), start, end)


def fit_hawkes(events: Events, exponentials: int = 2) -> Hawkes:
    """Maximum likelihood of all parameters by BFGS in their logarithms, which keeps them positive.

    Errors by the sandwich, clustered by 5-minute block. Raises ConfigError for fewer than 50 market orders.
    """
    return fit_marks(marks(events), exponentials)


def fit_marks(data: Marks, exponentials: int = 2) -> Hawkes:
    """The same for market orders that are already chosen, such as those of a morning."""
    if not 1 <= exponentials <= MOST_EXPONENTIALS:
        raise ConfigError(f"exponentials = {exponentials}: allowed are 1 to {MOST_EXPONENTIALS}")
    count = len(data.time)
    per_side = np.bincount(data.side, minlength=2)
    if count < FEWEST_ORDERS or per_side.min() == 0:
        raise ConfigError(
            f"{per_side[0]} market orders to sell and {per_side[1]} to buy: a Hawkes process needs "
            f"{FEWEST_ORDERS}, and some of each; give more data"
        )

    def cost(logs: Floats) -> tuple[float, Floats]:
        values = np.exp(np.clip(logs, -40, 40))
        log_rate, integral, gradient = pass_over(data.time, data.side, data.end, values, exponentials)
        return float(integral.sum() - log_rate.sum()) / count, -gradient.sum(axis=0) * values / count

    logs, converged = minimise(cost, np.log(_start(data, exponentials)))
    values = _slowest_first(np.exp(logs), exponentials)
    log_rate, integral, gradient = pass_over(data.time, data.side, data.end, values, exponentials)
    value = float(log_rate.sum() - integral.sum())
    found, branching = _errors(data, values, gradient, exponentials)
    p = exponentials
    return Hawkes(
        mu=(found[0], found[1]),
        same=found[2 : 2 + p],
        cross=found[2 + p : 2 + 2 * p],
        decays=found[2 + 2 * p :],
        branching=branching,
        log_likelihood=value,
        gain=value - float((per_side * np.log(per_side / data.end)).sum() - count),
        residuals=kolmogorov_smirnov(waits(data.side, integral)),
        orders=count,
        converged=converged,
    )


def waits(side: Ints, integral: Floats) -> Floats:
    """Integrals of each side's rate from one of its orders to the next, from those over all waits [n + 1, 2]."""
    return np.concatenate([np.diff(np.cumsum(integral[:-1, s])[side == s]) for s in range(2)])


def _start(data: Marks, exponentials: int) -> Floats:
    """Half of all orders excited, mostly on their own side, with decays spread over those of the waits."""
    rates = np.maximum(np.bincount(data.side, minlength=2), 1) / data.end
    gaps = np.diff(np.sort(data.time))
    gaps = gaps[gaps > 0] if (gaps > 0).any() else np.array([data.end])
    shares = (np.arange(exponentials) + 0.5) / exponentials
    decays = 1 / np.quantile(gaps, shares)[::-1]
    # equal waits would start two exponentials at one point, from which they never part
    decays *= 1.5 ** np.arange(exponentials)
    equal = np.ones(exponentials) / exponentials
    return np.concatenate([rates / 2, 0.4 * equal, 0.1 * equal, decays])


def _slowest_first(values: Floats, exponentials: int) -> Floats:
    parts = values[2:].reshape(3, exponentials)
    return np.concatenate([values[:2], parts[:, np.argsort(parts[2])].ravel()])


def _errors(data: Marks, values: Floats, gradient: Floats, exponentials: int) -> tuple[tuple[Estimate, ...], Estimate]:
    """Sandwich errors of all values, and of the branching ratio; NaN for what lies at the edge or is not identified."""
    p = exponentials
    free = np.ones(len(values), bool)
    free[2 : 2 + 2 * p] = values[2 : 2 + 2 * p] > NOTHING
    free[2 + 2 * p :] = free[2 : 2 + p] | free[2 + p : 2 + 2 * p]
    ends_ns = data.start_ns + (np.append(data.time, data.end) * SECOND).astype(np.int64)
    block, blocks = numbered(np.append(data.start_ns, ends_ns))
    scores = block_sums(gradient, block[1:], blocks)
    hessian = _hessian(data, values, p)[np.ix_(free, free)]
    influence = np.full((blocks, len(values)), math.nan)
    with suppress(np.linalg.LinAlgError):
        influence[:, free] = scores[:, free] @ np.linalg.inv(hessian)
    excited = slice(2, 2 + 2 * p)
    branching = np.nansum(influence[:, excited], axis=1)
    total = float(values[excited].sum())
    return estimates(values, influence), estimates(np.array([total]), branching[:, None])[0]


def _hessian(data: Marks, values: Floats, exponentials: int) -> Floats:
    """Minus the second derivatives of the log-likelihood, from central differences of its exact gradient."""
    columns = []
    for i, value in enumerate(values):
        step = 1e-5 * max(value, 1e-8)
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[i] += sign * step
            ends.append(pass_over(data.time, data.side, data.end, moved, exponentials)[2].sum(axis=0))
        columns.append((ends[1] - ends[0]) / (2 * step))
    matrix = np.stack(columns, axis=1)
    return np.asarray((matrix + matrix.T) / 2, np.float64)
