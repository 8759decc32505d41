"""The events of a day played through the queues of both sides: what happened at each distance, and in which time.

A distance counts ticks from the *opposite* best price, as in Cont, Stoikov & Talreja (2010). A queue is told apart by
its size in units (mean limit orders, rounded up) up to a longest one, as in Huang, Lehalle & Rosenbaum (2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmrl.calibrate.blocks import SECOND, Floats, Ints, numbered
from mmrl.calibrate.intervals import intervals
from mmrl.calibrate.market_orders import market_orders
from mmrl.data.events import ASK, BID, CANCEL, LIMIT, TRADE, Events
from mmrl.kernels.jit import kernel
from mmrl.settings.errors import ConfigError

SECONDS, UNIT_SECONDS, LIMITS, CANCELS, CANCELLED = range(5)
"""What is summed by block, side, distance and queue: time, units in the queue times time, orders, units cancelled."""
MARKET_SECONDS, MARKETS, TRADED = range(3)
"""By block, side and best queue: time, market orders that hit it, units that they traded."""
MOST_PRICES = 20_000_000


@dataclass(frozen=True)
class Replay:
    """Sums over a day: G blocks, 2 sides (bid, ask), D distances from 1, C queues (of 0, 1, ... units)."""

    near: Floats
    """[G, 2, D, C, 5]"""
    best: Floats
    """[G, 2, C, 3]"""
    unit: float
    """Lots."""
    deep: bool
    """Every distance was seen; else only those up to the best price of the own side."""
    beyond: int
    """Limit orders and cancellations that no distance took: too far, or through the opposite best."""
    disagreements: int
    """Rows where the best queues that the events add up to are not those of the table (deep books only)."""
    rows: int


def behind_the_best(events: Events) -> float:
    """Share of limit orders and cancellations behind the best price of their side: 0 if only level 1 was recorded."""
    wanted = ((events.kind == LIMIT) | (events.kind == CANCEL)) & (events.side != 0)
    side, price = events.side[wanted], events.price[wanted]
    best = np.where(side == BID, events.bid_price[wanted], events.ask_price[wanted])
    there = np.where(side == BID, events.bid_size[wanted], events.ask_size[wanted]) > 0
    behind = (side * (best - price) > 0) & there
    return float(behind.mean()) if len(behind) else 0.0


def replay(events: Events, unit: float, distances: int, longest: int, deep: bool) -> Replay:
    """Play a day through. `longest` is the queue, in units, from which on queues are not told apart.

    In a deep book the queues behind the best prices are added up from the events. What stood there at first is what
    later leaves without having come; what never leaves is not known. At the best prices the table corrects the sum.
    """
    if len(events) < 2:
        raise ConfigError(f"{len(events)} events: rates need at least 2; give more data")
    usable = np.zeros(len(events), bool)
    between = intervals(events)
    usable[between.row] = between.usable
    low, high = _prices(events, usable, distances)
    queues = _opening(events, low, high) if deep else np.zeros((2, high - low + 1), np.int64)
    orders = market_orders(events)
    traded = np.zeros(len(events), np.int64)
    traded[orders.row] = orders.size
    block, blocks = numbered(events.time_ns)
    near = np.zeros((blocks, 2, distances, longest + 1, 5))
    best = np.zeros((blocks, 2, longest + 1, 3))
    counters = np.zeros(2, np.int64)
    _play(
        (events.time_ns / SECOND, events.kind, events.side, events.price, events.size),
        (events.bid_price, events.bid_size, events.ask_price, events.ask_size),
        (usable, block, traded),
        queues,
        np.int64(low),
        float(unit),
        deep,
        (near, best, counters),
    )
    return Replay(near, best, unit, deep, int(counters[0]), int(counters[1]), int(usable.sum()))


def _prices(events: Events, usable: NDArray[np.bool_], distances: int) -> tuple[int, int]:
    """The lowest and the highest price that a distance can have."""
    if not usable.any():
        raise ConfigError("no event with both best prices before it: rates by distance need them; use another source")
    low = int(events.bid_price[usable].min()) - distances
    high = int(events.ask_price[usable].max()) + distances
    if high - low >= MOST_PRICES:
        raise ConfigError(
            f"best prices move over {high - low} ticks of {events.tick:g}: at most {MOST_PRICES} are kept; "
            "split the data, or read them with a larger tick"
        )
    return low, high


def _opening(events: Events, low: int, high: int) -> Ints:
    """Lots at the beginning at each price [2, prices]: what leaves without having come, order by order."""
    moves = (events.kind == LIMIT) | (events.kind == CANCEL) | (events.kind == TRADE)
    rows = np.flatnonzero(moves & (events.side != 0) & (events.price >= low) & (events.price <= high))
    order, price, side = events.order[rows], events.price[rows], events.side[rows]
    by_order = np.lexsort((rows, order, price, side))
    order, price, side, rows = order[by_order], price[by_order], side[by_order], rows[by_order]
    change = np.where(events.kind[rows] == LIMIT, events.size[rows], -events.size[rows])
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(order) != 0) | (np.diff(price) != 0) | (np.diff(side) != 0)
    first = np.flatnonzero(new)
    opening = np.zeros((2, high - low + 1), np.int64)
    if len(first):
        total = np.cumsum(change)
        before = np.repeat(total[first] - change[first], np.diff(np.append(first, len(rows))))
        lowest = np.minimum.reduceat(total - before, first)
        np.add.at(opening, ((side[first] == ASK).astype(np.int64), price[first] - low), np.maximum(-lowest, 0))
    return opening


@kernel
def _play(flow, book, extra, queues, low, unit, deep, sums):  # type: ignore[no-untyped-def]
    time, kind, side, price, size = flow
    bid_price, bid_size, ask_price, ask_size = book
    usable, block, traded = extra
    near, best, counters = sums
    distances, columns = near.shape[2], near.shape[3]
    for row in range(len(time)):
        own = 0 if side[row] == BID else 1
        if usable[row]:
            g, elapsed = block[row], time[row] - time[row - 1]
            spread = ask_price[row] - bid_price[row]
            for s in range(2):
                opposite, outwards = (ask_price[row], -1) if s == 0 else (bid_price[row], 1)
                shown = bid_size[row] if s == 0 else ask_size[row]
                if deep:
                    at = opposite + outwards * spread - low
                    counters[1] += queues[s, at] != shown
                    queues[s, at] = shown
                c = min(np.int64(math.ceil(shown / unit)), columns - 1)
                best[g, s, c, MARKET_SECONDS] += elapsed
                if traded[row] > 0 and own == s:
                    best[g, s, c, MARKETS] += 1
                    best[g, s, c, TRADED] += traded[row] / unit
                reach = distances if deep else min(distances, spread)
                for d in range(1, reach + 1):
                    lots = np.int64(0)
                    if d == spread:
                        lots = shown
                    elif d > spread:
                        lots = queues[s, opposite + outwards * d - low]
                    c = min(np.int64(math.ceil(lots / unit)), columns - 1)
                    near[g, s, d - 1, c, SECONDS] += elapsed
                    near[g, s, d - 1, c, UNIT_SECONDS] += elapsed * lots / unit
                if side[row] != 0 and own == s and (kind[row] == LIMIT or kind[row] == CANCEL):
                    d = (price[row] - opposite) * outwards
                    if 1 <= d <= reach:
                        lots = np.int64(0)
                        if d == spread:
                            lots = shown
                        elif d > spread:
                            lots = queues[s, price[row] - low]
                        c = min(np.int64(math.ceil(lots / unit)), columns - 1)
                        if kind[row] == LIMIT:
                            near[g, s, d - 1, c, LIMITS] += 1
                        else:
                            near[g, s, d - 1, c, CANCELS] += 1
                            near[g, s, d - 1, c, CANCELLED] += size[row] / unit
                    else:
                        counters[0] += 1
        if deep and side[row] != 0 and 0 <= price[row] - low < queues.shape[1]:
            if kind[row] == LIMIT:
                queues[own, price[row] - low] += size[row]
            elif kind[row] == CANCEL or kind[row] == TRADE:
                queues[own, price[row] - low] = max(queues[own, price[row] - low] - size[row], 0)
