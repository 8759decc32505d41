"""What a day looks like before anything is fitted: tick size, spread, depth at the best prices, rates of all kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import SECOND, Floats, block_sums, numbered, ratio
from mmrl.calibrate.estimate import Estimate
from mmrl.calibrate.intervals import Intervals, intervals
from mmrl.calibrate.market_orders import market_orders
from mmrl.data.events import CANCEL, HIDDEN, LIMIT, Events
from mmrl.settings.errors import ConfigError


@dataclass(frozen=True)
class Profile:
    """One day of one instrument. Means, medians and shares are over time, with a usable book."""

    tick_size: float
    """Currency: the largest step of which all best prices are multiples; the tick of the table, or several of it."""
    mid: float
    """Mean mid, currency."""
    seconds: float
    usable: float
    """Share of the time with a usable book."""
    spread: Estimate
    """Ticks of the table."""
    median_spread: float
    at_one_tick: Estimate
    """Share of the time in which the spread is one `tick_size`."""
    bid_depth: Estimate
    """Lots at the best bid."""
    ask_depth: Estimate
    median_depth: float
    """Lots at a best price, both sides."""
    limit_orders: int
    cancellations: int
    market_orders: int
    hidden_executions: int


def profile(events: Events) -> Profile:
    """Sum up a day; errors are clustered by 5-minute block. Raises ConfigError where the book is never usable."""
    between = intervals(events)
    rows, seconds = between.row[between.usable], between.seconds[between.usable]
    spread = between.spread[between.usable].astype(np.float64)
    if not seconds.sum() > 0:
        raise ConfigError(f"{len(events)} events, and no time with both best prices: a profile needs some; give more")
    bid, ask = events.bid_size[rows].astype(np.float64), events.ask_size[rows].astype(np.float64)
    step = int(np.gcd.reduce(np.concatenate([events.bid_price[rows], events.ask_price[rows]])))
    mean = _means(events, between)
    mid = float(((events.bid_price + events.ask_price)[rows] / 2 * seconds).sum() / seconds.sum())
    return Profile(
        tick_size=step * events.tick,
        mid=mid * events.tick,
        seconds=float((events.time_ns[-1] - events.time_ns[0]) / SECOND),
        usable=float(seconds.sum() / between.seconds.sum()),
        spread=mean(spread),
        median_spread=weighted_median(spread, seconds),
        at_one_tick=mean((spread == step).astype(np.float64)),
        bid_depth=mean(bid),
        ask_depth=mean(ask),
        median_depth=weighted_median(np.concatenate([bid, ask]), np.concatenate([seconds, seconds])),
        limit_orders=int((events.kind == LIMIT).sum()),
        cancellations=int((events.kind == CANCEL).sum()),
        market_orders=len(market_orders(events)),
        hidden_executions=int((events.kind == HIDDEN).sum()),
    )


def _means(events: Events, between: Intervals) -> Callable[[Floats], Estimate]:
    """A function that averages over time what stands in the usable intervals."""
    seconds = between.seconds[between.usable]
    block, blocks = numbered(events.time_ns[between.row[between.usable]])
    weights = block_sums(seconds, block, blocks)
    return lambda values: ratio(block_sums(values * seconds, block, blocks), weights)


def weighted_median(values: Floats, weights: Floats) -> float:
    """The smallest value that at least half of the weight does not exceed; NaN without weight."""
    if not weights.sum() > 0:
        return math.nan
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
