"""Market orders: one of them can be executed against many resting orders, each told as an event of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmrl.data.events import TRADE, Events


class MarketOrders(NamedTuple):
    """One entry a market order."""

    event: NDArray[np.int64]
    """Index of its first execution in the events: the best prices there are those before the market order."""
    time_ns: NDArray[np.int64]
    buys: NDArray[np.bool_]
    size: NDArray[np.int64]
    """Lots, all executions together."""
    executions: NDArray[np.int64]


def market_orders(events: Events) -> MarketOrders:
    """Executions of equal time and direction, with no execution of another between them, merged into one market order.

    Other events may stand between them. Executions of hidden orders are not counted.
    """
    where = np.flatnonzero(events.kind == TRADE)
    time, side = events.time_ns[where], events.side[where]
    starts = np.ones(len(where), np.bool_)
    starts[1:] = (np.diff(time) != 0) | (side[1:] != side[:-1])
    first = np.flatnonzero(starts)
    size = np.add.reduceat(events.size[where], first) if len(first) else np.zeros(0, np.int64)
    executions = np.diff(np.append(first, len(where)))
    return MarketOrders(where[first], time[first], side[first] < 0, size, executions)
