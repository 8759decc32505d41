"""Settings that contradict each other, or describe a market that cannot be: each as one line for the user."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmrl.markets.order_flow.settings import Settings

MOST_ORDERS = 100_000
"""Orders that may be expected to rest on one side."""
MOST_BETWEEN, MOST_EARLY = 1e7, 1e9
"""Orders that may be expected between two decisions, and before the first: seconds, and minutes, of simulation."""
MOST_UNDER_WAY = 16
"""Decisions that may be under way at once."""


def fault(s: Settings, categorical: bool) -> str | None:
    """The first thing that is wrong with the settings, or None."""
    return next(
        (line for check in (_tables, _growth, _pace, _sizes, _hawkes, _depletion, _maker) for line in check(s)), None
    ) or next(_actions(s, categorical), None)


def _tables(s: Settings) -> Iterator[str]:
    columns = s.columns
    for name in ("limit_rates", "cancel_rates", "market_rates"):
        for rate in getattr(s, name):
            if not (math.isfinite(rate) and (rate > 0 or (rate == 0 and s.queue_sizes))):
                least = ">= 0" if s.queue_sizes else "> 0"
                yield f"market.{name} has a rate {rate:g}: rates must be finite numbers {least}"
    if len(s.limit_rates) != len(s.cancel_rates):
        yield (
            f"market.limit_rates has {len(s.limit_rates)} numbers, market.cancel_rates {len(s.cancel_rates)}: "
            "give both as many"
        )
    if len(s.limit_rates) % columns:
        yield (
            f"market.limit_rates has {len(s.limit_rates)} numbers: with market.queue_sizes = {s.queue_sizes} it needs "
            f"rows of {columns}"
        )
    if s.market_law == "table" and len(s.market_rates) != columns:
        yield (
            f"market.market_rates has {len(s.market_rates)} numbers: with market.queue_sizes = {s.queue_sizes} it "
            f"needs {columns}"
        )
    if s.fitted > s.levels:
        yield (
            f"market.limit_rates reaches distance {s.fitted}, market.levels = {s.levels} does not: raise levels or "
            "shorten the tables"
        )
    if s.market_law == "table" and not any(s.market_rates):
        yield "market.market_rates are all 0: one must be > 0, or nothing is ever traded"
    if not any(s.limit_rates):
        yield "market.limit_rates are all 0: one must be > 0, or there is no book"


def _growth(s: Settings) -> Iterator[str]:
    """Queues that grow without bound, or beyond what memory is for."""
    columns = s.columns
    arriving = sum(s.far_rates)
    for i in range(s.fitted):
        limit, cancel = s.limit_rates[(i + 1) * columns - 1], s.cancel_rates[(i + 1) * columns - 1]
        arriving += max(s.limit_rates[i * columns : (i + 1) * columns])
        if cancel == 0 and limit > 0:
            yield (
                f"market.cancel_rates is 0 at distance {i + 1} where limit orders arrive: queues would grow without "
                "bound; give a rate > 0 for the longest queue"
            )
    slowest = s.cancel_rates[-1]
    if slowest == 0:
        yield "market.cancel_rates ends in 0, which holds beyond: queues would grow without bound; end in a rate > 0"
    elif arriving / slowest > MOST_ORDERS:
        yield (
            f"market.cancel_rates ends in {slowest:g}: about {arriving / slowest:.3g} orders would rest on a side, "
            f"at most {MOST_ORDERS} may; raise it"
        )


def _pace(s: Settings) -> Iterator[str]:
    """More events than anybody can wait for, between two decisions or before the first."""
    columns = s.columns
    limit = sum(max(s.limit_rates[i * columns : (i + 1) * columns]) for i in range(s.fitted)) + sum(s.far_rates)
    market = max(s.market_rates) if s.market_law == "table" else math.exp(min(s.market_intensity[0], 700.0))
    rate, name = 2 * (limit + market), "limit_rates" if limit > market else "market_rates"
    name = "market_intensity" if name == "market_rates" and s.market_law != "table" else name
    spans = [("warm_up", s.warm_up, MOST_EARLY)]
    if s.decide_by == "time":
        spans.append(("decision_interval", s.decision_interval, MOST_BETWEEN))
    for span, time, most in spans:
        if rate * time > most:
            yield (
                f"market.{name}: about {rate * time:.3g} orders would come in market.{span} = {time:g}, at most "
                f"{most:,.0f} may: lower one of them"
            )


def _sizes(s: Settings) -> Iterator[str]:
    for name in ("limit_size", "market_size"):
        if s.size_law == "constant" and getattr(s, name) != int(getattr(s, name)):
            yield (
                f"market.{name} = {getattr(s, name):g} is not allowed: with market.size_law = 'constant' it must be "
                "a whole number"
            )
    for name in ("limit_size_table", "market_size_table"):
        weights = getattr(s, name)
        if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights) > 0:
            yield f"market.{name} must be finite numbers >= 0, one of them > 0: {list(weights)[:8]} is not"


def _hawkes(s: Settings) -> Iterator[str]:
    from mmrl.markets.order_flow.hawkes import NUMBERS, branching_ratio, order_ratio

    count, every_kind = len(s.hawkes_decays), s.hawkes_kinds == "all"
    names, each = (("hawkes_matrix",), NUMBERS) if every_kind else (("hawkes_same", "hawkes_cross"), 1)
    for name in ("hawkes_same", "hawkes_cross", "hawkes_matrix"):
        if name not in names and getattr(s, name):
            use = " and ".join(names)
            yield f"market.{name} has no effect with market.hawkes_kinds = '{s.hawkes_kinds}': use {use}"
    for name in names:
        if len(getattr(s, name)) != each * count:
            yield (
                f"market.{name} has {len(getattr(s, name))} numbers, market.hawkes_decays {count}: give {each} for "
                "each exponential"
            )
        if not all(math.isfinite(x) and x >= 0 for x in getattr(s, name)):
            yield f"market.{name} must be finite numbers >= 0: {list(getattr(s, name))} is not"
    if not all(math.isfinite(x) and x > 0 for x in s.hawkes_decays):
        yield f"market.hawkes_decays must be finite numbers > 0: {list(s.hawkes_decays)} is not"
    if not count:
        return
    if branching_ratio(s) >= 1:
        what = "hawkes_matrix makes" if every_kind else "hawkes_same and hawkes_cross add up to"
        yield (
            f"market.{what} a branching ratio of {branching_ratio(s):g}: it must be < 1, or events multiply without "
            "bound"
        )
    elif order_ratio(s) >= 1:
        yield (
            f"market.hawkes_matrix makes a branching ratio of {order_ratio(s):g} of orders with the cancellations in "
            "which they end: it must be < 1, or orders multiply without bound"
        )
    elif s.most_resting > MOST_ORDERS:
        yield (
            f"market.hawkes_matrix excites so many limit orders that about {s.most_resting:.3g} would rest on a side, "
            f"at most {MOST_ORDERS} may; lower it"
        )


def _depletion(s: Settings) -> Iterator[str]:
    if s.depletion == "next-price":
        return
    if s.levels != 1:
        yield (
            f"market.levels = {s.levels} is not allowed: with market.depletion = 'redraw' orders stand at the best "
            "prices alone, so it must be 1"
        )
    if s.actions != "limit":
        yield (
            f"market.actions = '{s.actions}' is not allowed: with market.depletion = 'redraw' the maker joins the best "
            "prices and sends no market orders, so it must be 'limit'"
        )
    weights = s.redraw_weights
    if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights) > 0:
        yield f"market.redraw_weights must be finite numbers >= 0, one of them > 0: {list(weights)[:8]} is not"


def _maker(s: Settings) -> Iterator[str]:
    if not all(math.isfinite(x) and x > 0 for x in s.horizons):
        yield f"market.horizons must be finite numbers > 0: {list(s.horizons)} is not"
    if s.latency_law != "none":
        interval = s.decision_interval if s.decide_by == "time" else s.decision_events / s.event_rate
        if s.latency > MOST_UNDER_WAY / 2 * interval:
            yield (
                f"market.latency = {s.latency:g} is too long for decisions every {interval:.3g} minutes: it must be "
                f"<= {MOST_UNDER_WAY // 2} of them"
            )
    if s.midprice < 10 * s.levels * s.tick:
        yield (
            f"market.midprice = {s.midprice:g} is too low for market.levels = {s.levels} of {s.tick:g}: it must be "
            f">= {10 * s.levels * s.tick:g}"
        )


def _actions(s: Settings, categorical: bool) -> Iterator[str]:
    if not categorical:
        return
    sizes = [n for n in s.size_grid if 0 < n <= s.position_limit]
    if not sizes:
        yield (
            f"market.size_grid = {list(s.size_grid)} has no size from 1 to market.position_limit = "
            f"{s.position_limit}: no quote could be sent"
        )
    if not all(math.isfinite(x) for x in s.delta_grid):
        yield f"market.delta_grid must be finite numbers: {list(s.delta_grid)} is not"
    if s.actions == "limit+market" and not any(0 < n <= 2 * s.position_limit for n in s.take_grid):
        yield f"market.take_grid = {list(s.take_grid)} has no size > 0: use --actions limit"
