"""Sizes of orders: mean, quantiles, the table of their weights, and the geometric law of the market `order-flow`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import Floats, Ints, block_sums, numbered, ratio
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.market_orders import market_orders
from mmrl.data.events import CANCEL, LIMIT, Events

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


@dataclass(frozen=True)
class Sizes:
    """Sizes of one kind of order, in lots."""

    count: int
    mean: Estimate
    quantiles: tuple[tuple[float, float], ...]
    """(share, size that so many orders do not exceed)."""
    values: tuple[int, ...]
    """Every size that occurs."""
    weights: tuple[float, ...]
    """Share of the orders that have it."""
    fit: Goodness
    """Largest distance of the distribution functions of the sizes and of the geometric law with their mean."""

    def table(self, unit: int = 1, longest: int = 10_000) -> tuple[float, ...]:
        """Weights of 1, 2, ... units (sizes rounded up), as `limit_size_table` of `order-flow` takes them.

        What is larger than `longest` units counts as the last of them.
        """
        units = np.minimum(-(-np.array(self.values, np.int64) // unit), longest)
        return tuple(np.bincount(units, self.weights)[1:].tolist()) if len(units) else ()


@dataclass(frozen=True)
class OrderSizes:
    """By kind of order."""

    limit: Sizes
    cancel: Sizes
    market: Sizes
    """Executions of one time and side together."""


def order_sizes(events: Events) -> OrderSizes:
    """Size distributions of limit orders, cancellations and market orders."""
    orders = market_orders(events)
    by_kind = [(events.time_ns[events.kind == kind], events.size[events.kind == kind]) for kind in (LIMIT, CANCEL)]
    return OrderSizes(*(sizes(*each) for each in (*by_kind, (orders.time_ns, orders.size))))


def sizes(time_ns: Ints, size: Ints) -> Sizes:
    """The distribution of sizes [n] >= 1 of orders at times [n]; the mean's error is clustered by 5-minute block."""
    if not len(size):
        return Sizes(0, Estimate(math.nan), (), (), (), Goodness("KS distance to geometric", math.nan, 0.0))
    block, blocks = numbered(time_ns)
    orders = np.bincount(block, minlength=blocks).astype(np.float64)
    mean = ratio(block_sums(size.astype(np.float64), block, blocks), orders)
    values, counts = np.unique(size, return_counts=True)
    below = np.cumsum(counts) / len(size)
    return Sizes(
        count=len(size),
        mean=mean,
        quantiles=tuple((share, float(values[np.searchsorted(below, share - 1e-12)])) for share in QUANTILES),
        values=tuple(values.tolist()),
        weights=tuple((counts / len(size)).tolist()),
        fit=Goodness("KS distance to geometric", _distance(values, below, mean.value), 0.0),
    )


def _distance(values: Ints, below: Floats, mean: float) -> float:
    """Largest difference of P(size <= x) between the data and a geometric law on 1, 2, ... with the same mean."""
    stay = 1 - 1 / mean
    law, law_before = (1 - stay ** np.asarray(x, np.float64) for x in (values, values - 1))
    # between two sizes that occur the data stand still and the law rises, so the extremes are at their ends
    return float(max(np.max(np.abs(law - below)), np.max(np.abs(law_before - np.append(0.0, below[:-1])))))
