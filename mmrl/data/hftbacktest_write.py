"""Events as an event array of hftbacktest (.npz), which reads back as the same events.

By order where every order has a number, else by price. What the events do not tell (orders from before the first
event, levels that stood behind the best) is added when it shows itself, marked as standing before.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from mmrl.data import hftbacktest as form
from mmrl.data.book import LevelBook, OrderBook
from mmrl.data.events import ASK, BID, CANCEL, HALT, HIDDEN, LIMIT, NO_ORDER, NO_SIDE, NO_SIZE, TRADE, Events

NAMELESS = 1 << 62
"""Numbers from here on are of shares whose orders nobody told of."""
Event = tuple[int, int, int, int, int, int]
"""Time, kind, side, price, size, order."""


def write(events: Events, path: Path, latency_ns: int = 0) -> None:
    """Write the array as `data` of a compressed .npz; the file appears when it is complete.

    Every row is seen by the exchange at its time and locally `latency_ns` later. Times count from 1970, or from the
    midnight of 1970-01-01 where the events have no date.
    """
    resting = np.isin(events.kind, (LIMIT, CANCEL, TRADE))
    by_order = bool((events.order[resting] != NO_ORDER).all()) and bool(resting.any())
    writer: _ByOrder | _ByPrice = _ByOrder(events) if by_order else _ByPrice()
    names = ("time_ns", "kind", "side", "price", "size", "order")
    columns = [getattr(events, name).tolist() for name in names]
    best = [getattr(events, name).tolist() for name in ("bid_price", "bid_size", "ask_price", "ask_size")]
    for row, (event, shown) in enumerate(zip(zip(*columns, strict=True), zip(*best, strict=True), strict=True)):
        writer.now = event[0]
        writer.event(row, event, shown)
    data = np.array(writer.rows, form.ROW) if writer.rows else np.zeros(0, form.ROW)
    plain = (data["ev"] & form.KIND) == form.HALT
    data["px"] = np.where(plain, data["px"], _decimals(data["px"], events.tick))
    data["qty"] = _decimals(data["qty"], events.lot)
    data["exch_ts"] += int(np.datetime64(events.date or "1970-01-01", "ns").astype(np.int64))
    data["local_ts"] = data["exch_ts"] + latency_ns
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, data=data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _decimals(units: np.ndarray, step: float) -> np.ndarray:
    """Multiples of a step as the floats next to their decimal texts."""
    scale = next((10**k for k in range(9) if abs(step * 10**k - round(step * 10**k)) < 1e-9 * 10**k * step), 10**8)
    return units * round(step * scale) / scale


class _Rows:
    """Rows so far; prices in ticks, sizes in lots."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, float, float, int, int, float]] = []
        self.now = 0

    def row(self, kind: int, side: int, price: int, size: int, order: int = 0, mark: int = 0) -> None:
        flag = {BID: form.BUY, ASK: form.SELL, NO_SIDE: 0}[side]
        self.rows.append((kind | form.EXCH | form.LOCAL | flag, self.now, self.now, price, size, order, mark, 0.0))


class _ByOrder(_Rows):
    """Level 3."""

    def __init__(self, events: Events) -> None:
        super().__init__()
        self.book = OrderBook()
        self.at: dict[tuple[int, int], set[int]] = defaultdict(set)
        self.needs = _needs(events)

    def event(self, row: int, event: Event, best: tuple[int, int, int, int]) -> None:
        """Write an event, after what is needed for the book to hold it and to have these best prices."""
        _, kind, side, price, size, order = event
        missing = kind in (CANCEL, TRADE) and self.left(order) < self.needs[row]
        if missing and (kind == CANCEL or not self.left(order)):  # an iceberg trades more than it shows
            self.stands(order, side, price, self.needs[row])
        for each, (at, lots) in ((BID, best[:2]), (ASK, best[2:])):
            self.correct(each, at, lots, order)
        if kind in (CANCEL, TRADE) and not self.left(order):  # it stood before best prices that leave no room for it
            self.stands(order, side, price, self.needs[row])
        if kind == HALT:
            self.row(form.HALT, NO_SIDE, price, 0)
        elif kind == HIDDEN:
            self.row(form.TRADE, NO_SIDE if side == NO_SIDE else -side, price, size)
        elif kind == LIMIT:
            self.row(form.ADD, side, price, size, order)
            self.book.add(order, side, price, size)
            self.at[side, price].add(order)
        else:
            if kind == TRADE:
                self.row(form.TRADE, -side, price, size)
                self.row(form.FILL, side, price, size, order)
            stood = self.book.orders[order][1]
            self.book.reduce(order, size)
            left = self.left(order)
            self.row(form.MODIFY if left else form.CANCEL, side, stood, left or size, order)

    def left(self, order: int) -> int:
        """Lots of an order in the book; 0 where it is not there."""
        return self.book.orders[order][2] if order in self.book.orders else 0

    def stands(self, order: int, side: int, price: int, size: int) -> None:
        """Let an order have this size without an event."""
        kind = form.ADD if size else form.CANCEL
        self.row(kind, side, price, size, order, form.STOOD)
        self.book.add(order, side, price, size)
        self.at[side, price].add(order)

    def correct(self, side: int, price: int, size: int, spared: int) -> None:
        """Let this price be the best of a side and hold this size, without an event."""
        while True:
            bid, bid_size, ask, ask_size = self.book.levels.best()
            best, there = (bid, bid_size) if side == BID else (ask, ask_size)
            if not there or (size and side * best <= side * price):
                break
            for order in self.at.pop((side, best)):
                if self.book.orders.get(order, (0, 0))[:2] == (side, best):
                    self.stands(order, side, best, 0)
        if not size:
            return
        nameless = NAMELESS + 2 * price + (side == ASK)
        excess = self.book.levels.size(side, price) - size
        if excess > self.left(nameless):
            for order in sorted(self.at[side, price] - {spared, nameless}):
                if self.book.orders.get(order, (0, 0))[:2] == (side, price) and excess > self.left(nameless):
                    excess -= self.left(order)
                    self.stands(order, side, price, 0)
        if excess:
            self.stands(nameless, side, price, max(self.left(nameless) - excess, 0))


def _needs(events: Events) -> list[int]:
    """Lots that the order of each event gives from this event on, until it is sent anew."""
    needs: dict[int, int] = {}
    found = [0] * len(events)
    rows = zip(events.kind.tolist(), events.order.tolist(), events.size.tolist(), strict=True)
    for row, (kind, order, size) in reversed(list(enumerate(rows))):
        if kind == LIMIT:
            needs.pop(order, None)
        elif kind in (CANCEL, TRADE):
            needs[order] = found[row] = needs.get(order, 0) + size
    return found


class _ByPrice(_Rows):
    """Level 2."""

    def __init__(self) -> None:
        super().__init__()
        self.book = LevelBook()

    def event(self, row: int, event: Event, best: tuple[int, int, int, int]) -> None:
        """Write an event, after what is needed for the book to hold it and to have these best prices."""
        _, kind, side, price, size, _ = event
        for each, (at, lots) in ((BID, best[:2]), (ASK, best[2:])):
            self.correct(each, at, lots)
        if kind == HALT:
            self.row(form.HALT, NO_SIDE, price, 0)
            return
        there = self.book.size(side, price)
        if kind in (TRADE, HIDDEN):
            self.row(form.TRADE, -side, price, size, mark=form.UNSEEN if kind == HIDDEN else 0)
        if kind == TRADE:
            self.stands(side, price, max(there - size, NO_SIZE))
        elif kind != HIDDEN:
            if kind == CANCEL and there < size:
                self.stands(side, price, size)
            total = max(there, size) - size if kind == CANCEL else there + size
            self.row(form.DEPTH, side, price, total)
            self.book.set(side, price, total)

    def stands(self, side: int, price: int, size: int) -> None:
        """Let a price hold this size without an event."""
        self.row(form.SNAPSHOT, side, price, size)
        self.book.set(side, price, size)

    def correct(self, side: int, price: int, size: int) -> None:
        """Let this price be the best of a side and hold this size, without an event."""
        while True:
            bid, bid_size, ask, ask_size = self.book.best()
            best, there = (bid, bid_size) if side == BID else (ask, ask_size)
            if not there or (size and side * best <= side * price):
                break
            self.stands(side, best, 0)
        if size and self.book.size(side, price) != size:
            self.stands(side, price, size)
