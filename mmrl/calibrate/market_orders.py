"""Market orders: executions against one side at one time are one order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmrl.calibrate.blocks import Ints
from mmrl.data.events import TRADE, Events

Merge = Literal["time", "rows"]


@dataclass(frozen=True)
class MarketOrders:
    """Market orders in the order of time. All arrays have one entry an order."""

    row: Ints
    """Row of its first execution in the table of events."""
    time_ns: Ints
    side: Ints
    """Of the resting orders that it met: BID for an order to sell."""
    size: Ints
    """Lots that it traded in all."""
    furthest: Ints
    """Price of its execution that is furthest from the mid, ticks."""

    def __len__(self) -> int:
        return len(self.row)

    def against(self, side: int) -> MarketOrders:
        """Those that hit one side."""
        wanted = self.side == side
        return MarketOrders(*(getattr(self, name)[wanted] for name in ("row", "time_ns", "side", "size", "furthest")))


def market_orders(events: Events, merge: Merge = "time") -> MarketOrders:
    """Executions against one side at one time are one order; its row is the first of them.

    So the book before that row is what its sender may have seen. Hidden executions are left out: no queue that anyone
    sees shrinks. With merge "rows" only executions in neighbouring rows are one order, so that a hidden execution
    between them divides it in two.
    """
    rows = np.flatnonzero((events.kind == TRADE) & (events.side != 0))
    by_order = np.lexsort((rows, events.side[rows], events.time_ns[rows]))
    rows = rows[by_order] if merge == "time" else rows
    time, side = events.time_ns[rows], events.side[rows].astype(np.int64)
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(time) != 0) | (np.diff(side) != 0)
    if merge == "rows":
        new[1:] |= np.diff(rows) != 1
    first = np.flatnonzero(new)
    if not len(first):
        nothing = np.zeros(0, np.int64)
        return MarketOrders(nothing, nothing, nothing, nothing, nothing)
    size = np.add.reduceat(events.size[rows], first)
    furthest = -side[first] * np.maximum.reduceat(-side * events.price[rows], first)
    at = np.argsort(rows[first], kind="stable")
    return MarketOrders(rows[first][at], time[first][at], side[first][at], size[at], furthest[at])
