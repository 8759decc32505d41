"""The depth profile A exp(-k d) of the closed-form agents: how often an order at distance d from the mid is filled.

Avellaneda & Stoikov (Quantitative Finance 8(3), 2008), section 2.5.

How a fill is counted. A hypothetical order rests at distance d from the mid as it is just before a market order, with
priority over all that stands at its price; where no price lies at d, it stands at the next one away from the mid. It is
filled if the market order's furthest execution is at its price or beyond. It is so small that it stops no market order.
So every market order fills what stands inside the spread, and the rate is flat there: the line is fitted over the
distances that are quoted only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import SECOND, Floats, block_of, block_sums, estimates, seconds_of_blocks
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.intervals import intervals
from mmrl.calibrate.market_orders import market_orders
from mmrl.calibrate.profile import weighted_median
from mmrl.data.events import BID, Events
from mmrl.settings.errors import ConfigError

FEWEST_FILLS = 30
"""Fills at the furthest distance that is fitted: the logarithm of fewer is biased and far from normal."""
FEWEST_DISTANCES = 3


@dataclass(frozen=True)
class DepthProfile:
    """Fills a second of one order at each distance, mean of both sides, and the line ln A - k d through their logs."""

    a: Estimate
    """A, fills a second at distance 0 by the line."""
    k: Estimate
    """Decay per tick."""
    fit: Goodness
    """R^2 of the line."""
    distances: tuple[float, ...]
    """Ticks from the mid, one apart, from the low end of the range."""
    rates: tuple[Estimate, ...]
    """Fills a second at each of them."""
    orders: int
    left_out: int
    """Market orders without a usable book before them."""


def reaches(events: Events, side: int) -> tuple[Floats, Floats]:
    """How far from the mid each market order against a side traded, in ticks, and its time in ns; usable books only."""
    orders = market_orders(events).against(side)
    usable = np.zeros(len(events), bool)
    between = intervals(events)
    usable[between.row] = between.usable
    rows = orders.row[usable[orders.row]]
    mid = (events.bid_price[rows] + events.ask_price[rows]) / 2
    return side * (mid - orders.furthest[usable[orders.row]]), events.time_ns[rows].astype(np.float64)


def depth_profile(events: Events, side: int | None = None, quoted: tuple[float, float] | None = None) -> DepthProfile:
    """Fit A and k over the quoted range (lowest and highest distance, ticks) by least squares on the log rates.

    Without a range it goes from half the median spread (over time) to the furthest distance that 30 market orders
    reach, or over three distances if that is more. `side` BID or ASK; None pools both. Errors by the delta method,
    clustered by 5-minute block. Raises ConfigError where fewer than three distances of the range were reached.
    """
    sides = (BID, -BID) if side is None else (side,)
    found = [reaches(events, one) for one in sides]
    reach = np.concatenate([each[0] for each in found])
    time = np.concatenate([each[1] for each in found]).astype(np.int64)
    seen = sum(len(market_orders(events).against(one)) for one in sides)
    low, high = quoted if quoted is not None else _usual_range(events, reach)
    grid = low + np.arange(math.floor(high - low + 1e-9) + 1)
    fills = (reach[:, None] >= grid - 1e-9).astype(np.float64)
    grid, fills = grid[fills.any(axis=0)], fills[:, fills.any(axis=0)]
    if len(grid) < FEWEST_DISTANCES:
        raise ConfigError(
            f"depth profile from {low:g} to {high:g} ticks: market orders reach {len(grid)} distances a tick apart, "
            f"at least {FEWEST_DISTANCES} are needed; give a range that more of them reach"
        )
    start, end = int(events.time_ns[0]), int(events.time_ns[-1])
    seconds = seconds_of_blocks(start, end) * len(sides)
    block = block_of(time) - int(block_of(events.time_ns[:1])[0])
    counts = block_sums(fills, block, len(seconds))
    total, time_total = counts.sum(axis=0), seconds.sum()
    log_rates = np.log(total / time_total)
    # what each block moves the logs of the rates by
    influence = counts / total - (seconds / time_total)[:, None]
    design = np.stack([np.ones_like(grid), -grid], axis=1)
    solve = np.linalg.pinv(design)
    line = solve @ log_rates
    log_a, k = estimates(line, influence @ solve.T)
    unexplained, around = ((log_rates - design @ line) ** 2).sum(), ((log_rates - log_rates.mean()) ** 2).sum()
    return DepthProfile(
        a=Estimate(math.exp(log_a.value), math.exp(log_a.value) * log_a.error, log_a.blocks),
        k=k,
        fit=Goodness("R^2", 1 - float(unexplained / around) if around else math.nan, 1.0),
        distances=tuple(grid.tolist()),
        rates=estimates(np.exp(log_rates), influence * np.exp(log_rates)),
        orders=len(reach),
        left_out=seen - len(reach),
    )


def _usual_range(events: Events, reach: Floats) -> tuple[float, float]:
    if len(reach) < FEWEST_FILLS:
        raise ConfigError(
            f"{len(reach)} market orders in {(events.time_ns[-1] - events.time_ns[0]) / SECOND:g} s: a depth profile "
            f"needs {FEWEST_FILLS}, or a range of distances; give more data"
        )
    between = intervals(events)
    weights = between.seconds * between.usable
    half_spread = weighted_median(between.spread.astype(np.float64), weights) / 2
    furthest = np.sort(reach)
    shortest = half_spread + FEWEST_DISTANCES - 1  # a range that cannot be shorter, if a market order reaches it
    return half_spread, max(float(furthest[-FEWEST_FILLS]), min(shortest, float(furthest[-1])))
