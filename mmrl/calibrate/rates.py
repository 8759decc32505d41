"""Rates of limit orders, cancellations and market orders by distance, and by distance and queue.

Which distances are observable. Where a source has every order, all of them. Where only level 1 was recorded, limit
orders inside the spread and at the best price are seen, and cancellations at the best price: distance i counts while
the spread is at least i (limit orders) or exactly i (cancellations). Each result has the seconds in which it could be
seen, and a rate is NaN where there were none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import Floats, dispersion, estimates, ratio
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.replay import (
    CANCELLED,
    LIMITS,
    MARKET_SECONDS,
    MARKETS,
    SECONDS,
    TRADED,
    UNIT_SECONDS,
    Replay,
    behind_the_best,
    replay,
)
from mmrl.calibrate.sizes import order_sizes
from mmrl.data.events import BID, Events
from mmrl.settings.errors import ConfigError

DEEP_FROM = 0.001
"""Share of orders behind the best prices from which on a source counts as one of all orders."""
MINUTE = 60.0


@dataclass(frozen=True)
class PowerLaw:
    """Limit orders at distance i arrive at rate k / i^alpha."""

    k: Estimate
    alpha: Estimate
    fit: Goodness
    """R^2 over the distances that it was fitted to."""


@dataclass(frozen=True)
class Rates:
    """Per minute and side, at distances 1, 2, ... ticks from the opposite best price; sizes in mean limit orders."""

    limit: tuple[Estimate, ...]
    """lambda(i)."""
    cancel: tuple[Estimate, ...]
    """theta(i), of each unit that rests there."""
    market: Estimate
    """Market orders a minute."""
    market_units: Estimate
    """The same times their mean size in units: mu of the paper."""
    power_law: PowerLaw | None
    """None where fewer than two distances have a rate."""
    queue: tuple[Estimate, ...]
    """Mean units at each distance while it was observable: Q(i)."""
    unit: float
    """Lots of a mean limit order."""
    observed: tuple[float, ...]
    """Minutes in which each distance was observable, mean of the sides."""
    deep: bool
    """All orders are in the source, not only the best prices."""
    beyond: int
    """Limit orders and cancellations at other distances."""
    disagreements: float
    """Share of rows in which the book that the orders add up to has another best queue than the source."""
    fit: Goodness
    """Dispersion of market orders over 5-minute blocks; 1 is a Poisson process."""


@dataclass(frozen=True)
class QueueReactive:
    """Per minute and side, by distance 1, 2, ... (rows) and size of the queue 0, 1, ... N and more units (columns)."""

    limit: tuple[tuple[Estimate, ...], ...]
    """lambda_i(n) at the price where the order would stand."""
    cancel: tuple[tuple[Estimate, ...], ...]
    """theta_i(n) of each unit there."""
    market: tuple[Estimate, ...]
    """mu(n) of the best queue that is hit."""
    observed: tuple[tuple[float, ...], ...]
    """Minutes in which each queue was seen, mean of the sides."""
    unit: float
    deep: bool
    fit: Goodness
    """What the queue tells of market orders; 0 if nothing."""


def rates(events: Events, distances: int = 10, side: int | None = None, deep: bool | None = None) -> Rates:
    """Cont, Stoikov & Talreja (Operations Research 58(3), 2010), section 3.2, per minute.

    lambda(i) = N_limit(i) / T, theta(i) = N_cancel(i) S_cancel / (T Q(i) S_limit), mu = N_market S_market /
    (T S_limit), k and alpha by least squares on lambda(i). `side` BID or ASK; None pools both. `deep` says whether
    the source has all orders; None looks whether it has any behind the best prices. Errors clustered by 5-minute block.
    """
    played = _played(events, distances, 0, deep)
    near, best = _of_side(played.near, side), _of_side(played.best, side)
    sides = 2 if side is None else 1
    near, best = near[:, :, 0], best[:, 0]
    limit = _ratios(near[..., LIMITS], near[..., SECONDS])
    return Rates(
        limit=limit,
        cancel=_ratios(near[..., CANCELLED], near[..., UNIT_SECONDS]),
        market=ratio(best[:, MARKETS], best[:, MARKET_SECONDS]).times(MINUTE),
        market_units=ratio(best[:, TRADED], best[:, MARKET_SECONDS]).times(MINUTE),
        power_law=power_law(near[..., LIMITS], near[..., SECONDS]),
        queue=tuple(e.times(1 / MINUTE) for e in _ratios(near[..., UNIT_SECONDS], near[..., SECONDS])),
        unit=played.unit,
        observed=tuple((near[..., SECONDS].sum(axis=0) / MINUTE / sides).tolist()),
        deep=played.deep,
        beyond=played.beyond,
        disagreements=played.disagreements / max(2 * played.rows, 1),
        fit=Goodness("dispersion of market orders", dispersion(best[:, MARKETS], best[:, MARKET_SECONDS]), 1.0),
    )


def queue_reactive(
    events: Events, distances: int = 5, longest: int = 10, side: int | None = None, deep: bool | None = None
) -> QueueReactive:
    """Events over time by state: Huang, Lehalle & Rosenbaum (J. of the American Statistical Association 110, 2015), I.

    As the tables of the market `order-flow`: a queue of n units has between n - 1 and n mean limit orders, n = 0 is
    empty, and `longest` stands for all longer ones.
    """
    played = _played(events, distances, longest, deep)
    near, best = _of_side(played.near, side), _of_side(played.best, side)
    sides = 2 if side is None else 1
    return QueueReactive(
        limit=tuple(_ratios(near[:, i, :, LIMITS], near[:, i, :, SECONDS]) for i in range(distances)),
        cancel=tuple(_ratios(near[:, i, :, CANCELLED], near[:, i, :, UNIT_SECONDS]) for i in range(distances)),
        market=_ratios(best[..., MARKETS], best[..., MARKET_SECONDS]),
        observed=tuple(tuple(row) for row in (near[..., SECONDS].sum(axis=0) / MINUTE / sides).tolist()),
        unit=played.unit,
        deep=played.deep,
        fit=Goodness("log-likelihood gain per market order", _gain(best), math.nan),
    )


def _played(events: Events, distances: int, longest: int, deep: bool | None) -> Replay:
    if not 1 <= distances <= 10_000:
        raise ConfigError(f"distances = {distances}: allowed are 1 to 10000")
    unit = order_sizes(events).limit.mean.value
    if not unit > 0:
        raise ConfigError("no limit orders: rates are measured in their mean size; use a source of all events")
    whole = behind_the_best(events) >= DEEP_FROM if deep is None else deep
    return replay(events, unit, distances, longest, whole)


def _of_side(sums: Floats, side: int | None) -> Floats:
    """Sums [G, 2, ...] of one side, or of both together: [G, ...]."""
    if side is None:
        return np.asarray(sums.sum(axis=1), np.float64)
    return np.asarray(sums[:, 0 if side == BID else 1], np.float64)


def _ratios(sums: Floats, weights: Floats) -> tuple[Estimate, ...]:
    """Per minute, from sums and seconds [G, n]."""
    return tuple(ratio(sums[:, i], weights[:, i]).times(MINUTE) for i in range(sums.shape[1]))


def _gain(best: Floats) -> float:
    """Log-likelihood per market order of one rate for each queue, over that of one rate for all."""
    orders, seconds = best[..., MARKETS].sum(axis=0), best[..., MARKET_SECONDS].sum(axis=0)
    hit = orders > 0
    total = float(orders.sum())
    if not total:
        return math.nan
    each = float((orders[hit] * np.log(orders[hit] / seconds[hit])).sum())
    return each / total - math.log(total / float(seconds.sum()))


def power_law(limits: Floats, seconds: Floats) -> PowerLaw | None:
    """k / i^alpha through the rates a minute at distances 1, 2, ... by least squares (Cont et al. 2010, section 3.2).

    From limit orders and seconds [G, D]; distances without seconds are passed over. Errors by the delta method.
    """
    total = seconds.sum(axis=0)
    seen = total > 0
    if seen.sum() < 2:
        return None
    distance = (np.flatnonzero(seen) + 1).astype(np.float64)
    rate = limits.sum(axis=0)[seen] / total[seen] * MINUTE
    k, alpha = least_squares_power(distance, rate)
    if not k > 0:
        return None
    shape = distance**-alpha
    jacobian = np.stack([shape, -k * shape * np.log(distance)], axis=1)
    moved = (limits[:, seen] * MINUTE - rate * seconds[:, seen]) / total[seen]
    fitted = estimates(np.array([k, alpha]), moved @ np.linalg.pinv(jacobian).T)
    varies = ((rate - rate.mean()) ** 2).sum()
    r2 = 1 - float(((rate - k * shape) ** 2).sum() / varies) if varies > 0 else math.nan
    return PowerLaw(fitted[0], fitted[1], Goodness("R^2", r2, 1.0))


def least_squares_power(distance: Floats, rate: Floats) -> tuple[float, float]:
    """k and alpha that minimise sum (rate - k / distance^alpha)^2: k is linear given alpha, alpha by golden section."""

    def best_k(alpha: float) -> tuple[float, float]:
        shape = distance**-alpha
        k = float(rate @ shape / (shape @ shape))
        return k, float(((rate - k * shape) ** 2).sum())

    coarse = np.linspace(-5, 10, 301)
    middle = float(coarse[np.argmin([best_k(alpha)[1] for alpha in coarse])])
    low, high = middle - 0.1, middle + 0.1
    golden = (math.sqrt(5) - 1) / 2
    while high - low > 1e-10:
        first, second = high - golden * (high - low), low + golden * (high - low)
        if best_k(first)[1] <= best_k(second)[1]:
            high = second
        else:
            low = first
    alpha = (low + high) / 2
    return best_k(alpha)[0], alpha
