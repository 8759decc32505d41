"""Stylised facts of a tape as sums over blocks of five minutes, so that they can be compared and resampled.

Cont, Empirical properties of asset returns (Quantitative Finance 1(2), 2001); Bouchaud, Bonart, Donier & Gould, Trades,
Quotes and Prices (2018), for order signs and responses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mmrl.calibrate.blocks import SECOND, Floats, Ints, block_sums, numbered
from mmrl.calibrate.intervals import intervals
from mmrl.calibrate.market_orders import market_orders
from mmrl.data.events import BID, LIMIT, NO_SIZE, Events

DISTRIBUTION, RATIOS, KURTOSIS = "distribution", "ratios", "kurtosis"
MOST_SPREAD = 20
LAGS = 10
SIGNATURE = (1, 2, 5, 10, 30, 60)
"""Seconds."""
RESPONSE = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Seconds after a market order."""
BINS = 30
IMBALANCES = 8


@dataclass(frozen=True)
class Fact:
    """One fact: of a distribution the weight in each bin, of a curve numerators and denominators, by block."""

    kind: str
    sums: Floats
    """[blocks, bins]; of ratios the numerators, then as many denominators; of a kurtosis n, sum r^2, sum r^4."""
    widths: Floats
    """Of the bins, in the unit of the fact: spreads in ticks, sizes in lots, times in ln s."""
    at: Floats
    """Where the bins begin (ticks, lots, seconds), or the points of the curve are (seconds, lags, imbalances)."""

    def values(self, sums: Floats) -> Floats:
        """Shares of the bins, points of the curve, or the kurtosis, of total sums [bins]; NaN where nothing was."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.kind == DISTRIBUTION:
                return sums / sums.sum()
            if self.kind == KURTOSIS:
                return np.array([sums[0] * sums[2] / sums[1] ** 2])
            half = len(sums) // 2
            return sums[:half] / sums[half:]

    def by_block(self) -> Floats:
        """[blocks, points]: the values of each block, of a kurtosis their logarithm; NaN where nothing was."""
        values = np.stack([self.values(sums) for sums in self.sums]) if len(self.sums) else np.zeros((0, len(self.at)))
        with np.errstate(divide="ignore"):
            return np.log(values) if self.kind == KURTOSIS else values


def facts(events: Events, like: Events | None = None) -> dict[str, Fact]:
    """All facts of a tape; bins are those of `like`, the tape that it will be compared with."""
    reference = events if like is None else like
    return {
        "spread": _spread(events),
        "depth at best": _depth(events, _edges(_best_sizes(reference)[0])),
        "times between events": _waits(events, _edges(_log_waits(reference)[0])),
        "sizes of limit orders": _sizes(events, _limit_sizes, _edges(_limit_sizes(reference)[0])),
        "sizes of market orders": _sizes(events, _market_sizes, _edges(_market_sizes(reference)[0])),
        "volatility signature": signature(events),
        **{f"kurtosis of {s} s returns": _kurtosis(events, s) for s in (1, 10, 60)},
        "autocorrelation of 1 s returns": _autocorrelation(*_returns(events, 1.0)),
        "autocorrelation of absolute 1 s returns": _absolute(events),
        "autocorrelation of order signs": _signs(events),
        "next move by imbalance": _imbalance(events),
        "response after a market order": _response(events),
    }


def _edges(values: Floats) -> Floats:
    """At most `BINS` bins of about equal weight."""
    return np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1))) if len(values) else np.array([0.0, 1.0])


def _histogram(values: Floats, weights: Floats, time_ns: Ints, edges: Floats) -> Fact:
    """Values beyond the edges count in the outer bins."""
    bins = max(len(edges) - 1, 1)
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    block, blocks = numbered(time_ns)
    sums = np.asarray(np.bincount(block * bins + at, weights, blocks * bins), np.float64).reshape(blocks, bins)
    return Fact(DISTRIBUTION, sums, np.diff(edges) if len(edges) > 1 else np.ones(1), edges[:bins])


def _usable(events: Events) -> tuple[Ints, Floats, Floats]:
    between = intervals(events)
    kept = between.usable
    return between.row[kept], between.seconds[kept], between.spread[kept].astype(np.float64)


def _spread(events: Events) -> Fact:
    row, seconds, spread = _usable(events)
    return _histogram(spread, seconds, events.time_ns[row], np.arange(1.0, MOST_SPREAD + 2))


def _best_sizes(events: Events) -> tuple[Floats, Floats, Ints]:
    row, seconds, _ = _usable(events)
    sizes = np.stack([events.bid_size[row], events.ask_size[row]], axis=1).astype(np.float64).ravel()
    return sizes, np.repeat(seconds, 2), np.repeat(events.time_ns[row], 2)


def _depth(events: Events, edges: Floats) -> Fact:
    return _histogram(*_best_sizes(events), edges)


def _log_waits(events: Events) -> tuple[Floats, Ints]:
    """ln seconds between events; those of one time count as a microsecond apart."""
    waits = np.maximum(np.diff(events.time_ns) / SECOND, 1e-6)
    return np.log(waits), events.time_ns[1:]


def _waits(events: Events, edges: Floats) -> Fact:
    values, time = _log_waits(events)
    found = _histogram(values, np.ones(len(values)), time, edges)
    return replace(found, at=np.exp(found.at))


def _limit_sizes(events: Events) -> tuple[Floats, Ints]:
    wanted = events.kind == LIMIT
    return events.size[wanted].astype(np.float64), events.time_ns[wanted]


def _market_sizes(events: Events) -> tuple[Floats, Ints]:
    orders = market_orders(events)
    return orders.size.astype(np.float64), orders.time_ns


def _sizes(events: Events, of: Callable[[Events], tuple[Floats, Ints]], edges: Floats) -> Fact:
    values, time = of(events)
    return _histogram(values, np.ones(len(values)), time, edges)


def mids(events: Events) -> Floats:
    """The mid in ticks before each event; where a side of the book is empty, the last one that there was."""
    there = (events.bid_size != NO_SIZE) & (events.ask_size != NO_SIZE)
    if not there.any():
        return np.full(len(events), np.nan)
    last = np.maximum.accumulate(np.where(there, np.arange(len(events)), np.argmax(there)))
    return np.asarray((events.bid_price + events.ask_price)[last] / 2, np.float64)


def mids_at(events: Events, time_ns: Ints) -> Floats:
    """The mid in ticks after all events up to each time [n] within the tape."""
    return mids(events)[np.minimum(np.searchsorted(events.time_ns, time_ns, side="right"), len(events) - 1)]


def _returns(events: Events, seconds: float) -> tuple[Floats, Ints]:
    step = round(seconds * SECOND)
    grid = np.arange(events.time_ns[1], events.time_ns[-1], step)
    return np.diff(mids_at(events, grid)), grid[1:]


def _ratios(numerators: Floats, denominators: Floats, time_ns: Ints, at: Floats) -> Fact:
    """From rows [n, k]."""
    block, blocks = numbered(time_ns)
    columns = np.concatenate([numerators, denominators], axis=1)
    return Fact(RATIOS, block_sums(columns, block, blocks), np.ones(numerators.shape[1]), at)


def signature(events: Events) -> Fact:
    """Variance a second, squared ticks, of returns over each interval."""
    found = []
    for seconds in SIGNATURE:
        moves, time = _returns(events, seconds)
        lasted = np.full((len(moves), 1), float(seconds))
        found.append(_ratios(moves[:, None] ** 2, lasted, time, lasted[:1, 0]).sums)
    blocks = min(len(sums) for sums in found)
    parts = [sums[:blocks, column] for column in (0, 1) for sums in found]
    return Fact(RATIOS, np.stack(parts, axis=1), np.ones(len(SIGNATURE)), np.array(SIGNATURE, np.float64))


def _kurtosis(events: Events, seconds: float) -> Fact:
    moves, time = _returns(events, seconds)
    block, blocks = numbered(time)
    powers = np.stack([moves**0, moves**2, moves**4], axis=1)
    return Fact(KURTOSIS, block_sums(powers, block, blocks), np.ones(1), np.array([seconds], np.float64))


def _autocorrelation(values: Floats, time_ns: Ints) -> Fact:
    """At lags 1 to `LAGS`; values that have mean 0."""
    lags = np.arange(1.0, LAGS + 1)
    if len(values) <= LAGS:
        return _ratios(np.zeros((len(values), LAGS)), np.zeros((len(values), LAGS)), time_ns, lags)
    start = values[:-LAGS]
    products = np.stack([start * values[lag : len(start) + lag] for lag in range(1, LAGS + 1)], axis=1)
    return _ratios(products, np.repeat(start[:, None] ** 2, LAGS, axis=1), time_ns[:-LAGS], lags)


def _absolute(events: Events) -> Fact:
    moves, time = _returns(events, 1.0)
    size = np.abs(moves)
    return _autocorrelation(size - (size.mean() if len(size) else 0.0), time)


def _signs(events: Events) -> Fact:
    orders = market_orders(events)
    return _autocorrelation(-orders.side.astype(np.float64), orders.time_ns)


def _imbalance(events: Events) -> Fact:
    """Mean direction of the next move of the mid by (bid - ask) / (bid + ask) sizes, weighed by time."""
    row, seconds, _ = _usable(events)
    twice = (events.bid_price + events.ask_price)[row]
    moved = np.flatnonzero(np.diff(twice))
    at = np.searchsorted(moved, np.arange(len(twice)))
    known = at < len(moved)
    rows = row[known]
    direction = np.sign(np.diff(twice)[moved[at[known]]]).astype(np.float64)
    bid, ask = events.bid_size[rows], events.ask_size[rows]
    bins = np.minimum(((bid - ask) / (bid + ask) + 1) / 2 * IMBALANCES, IMBALANCES - 1).astype(np.int64)
    here = (bins[:, None] == np.arange(IMBALANCES)) * seconds[known][:, None]
    middles = (np.arange(IMBALANCES) + 0.5) / IMBALANCES * 2 - 1
    return _ratios(here * direction[:, None], here, events.time_ns[rows], middles)


def _response(events: Events) -> Fact:
    """Ticks that the mid has moved in the direction of a market order some time after it, from before it."""
    orders = market_orders(events)
    late = orders.time_ns + round(RESPONSE[-1] * SECOND) < events.time_ns[-1]
    rows = orders.row[late]
    before = mids(events)[rows]
    sign = np.where(orders.side[late] == BID, -1.0, 1.0)
    after = [mids_at(events, events.time_ns[rows] + round(s * SECOND)) for s in RESPONSE]
    moves = np.stack([sign * (mid - before) for mid in after], axis=1) if len(rows) else np.zeros((0, len(RESPONSE)))
    return _ratios(moves, np.ones_like(moves), events.time_ns[rows], np.array(RESPONSE))
