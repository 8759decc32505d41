"""A table of events as changes of levels and trades, in one pass of compiled code."""

from typing import NamedTuple

import numpy as np

from mmrl.data import hftbacktest as form
from mmrl.data.events import BID, HALT, HIDDEN, LIMIT, TRADE
from mmrl.kernels.jit import inlined, kernel

DEPTH_ROW, TRADE_ROW = (kind | form.EXCH | form.LOCAL for kind in (form.DEPTH, form.TRADE))
BUY, SELL = form.BUY, form.SELL


class Table(NamedTuple):
    """Events [N]; prices by their rank among the P that occur."""

    time: np.ndarray
    kind: np.ndarray
    side: np.ndarray
    price: np.ndarray
    size: np.ndarray
    bid: np.ndarray
    bid_size: np.ndarray
    ask: np.ndarray
    ask_size: np.ndarray
    prices: np.ndarray
    """float64 [P], currency."""
    lot: float
    latency: int
    """Nanoseconds until an event is seen locally."""


class Book(NamedTuple):
    """The levels so far, and where rows are written."""

    levels: np.ndarray
    """int64 [2, P], lots."""
    best: np.ndarray
    """int64 [2], ranks; -1 and P where a side is empty."""
    out: np.ndarray


@inlined
def _row(t, out, at, ev, time, rank, lots):
    """Write a row where there is room for it."""
    if at < out.shape[0]:
        out[at]["ev"] = ev
        out[at]["exch_ts"] = time
        out[at]["local_ts"] = time + t.latency
        out[at]["px"] = t.prices[rank]
        out[at]["qty"] = lots * t.lot
        out[at]["order_id"] = 0
        out[at]["ival"] = 0
        out[at]["fval"] = 0.0
    return at + 1


@inlined
def _set(t, b, side, rank, lots, time, at):
    """Let a level have so many lots; side 0 bids, 1 asks."""
    b.levels[side, rank] = lots
    step = -1 if side == 0 else 1
    if lots > 0:
        if (rank - b.best[side]) * step < 0:
            b.best[side] = rank
    elif rank == b.best[side]:
        while 0 <= b.best[side] < b.levels.shape[1] and b.levels[side, b.best[side]] == 0:
            b.best[side] += step
    return _row(t, b.out, at, DEPTH_ROW | (BUY if side == 0 else SELL), time, rank, lots)


@inlined
def _correct(t, b, side, rank, lots, time, at):
    """Let this level be the best of a side and hold so many lots; none: the side is empty."""
    step = -1 if side == 0 else 1
    while 0 <= b.best[side] < b.levels.shape[1] and (lots == 0 or (b.best[side] - rank) * step < 0):
        at = _set(t, b, side, b.best[side], 0, time, at)
    if lots > 0 and b.levels[side, rank] != lots:
        at = _set(t, b, side, rank, lots, time, at)
    return at


@kernel
def convert(t, out):
    """Write the rows into `out`, as far as it reaches; returns how many there are.

    The best prices before an event are those after the group of events of one time before it.
    """
    levels = np.zeros((2, t.prices.shape[0]), np.int64)
    b = Book(levels, np.array([-1, t.prices.shape[0]], np.int64), out)
    at, n = 0, t.time.shape[0]
    at = _correct(t, b, 0, t.bid[0], t.bid_size[0], t.time[0], at)
    at = _correct(t, b, 1, t.ask[0], t.ask_size[0], t.time[0], at)
    for i in range(n):
        kind, side, rank, time = t.kind[i], 0 if t.side[i] == BID else 1, t.price[i], t.time[i]
        there = levels[side, rank]
        if kind == TRADE or (kind == HIDDEN and t.side[i] != 0):
            at = _row(t, b.out, at, TRADE_ROW | (SELL if side == 0 else BUY), time, rank, t.size[i])
        if kind != HALT and kind != HIDDEN:
            after = there + t.size[i] if kind == LIMIT else max(there - t.size[i], 0)
            if after != there:
                at = _set(t, b, side, rank, after, time, at)
        if i + 1 < n and t.time[i + 1] != time:
            at = _correct(t, b, 0, t.bid[i + 1], t.bid_size[i + 1], time, at)
            at = _correct(t, b, 1, t.ask[i + 1], t.ask_size[i + 1], time, at)
    return at
