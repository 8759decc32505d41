"""The book of an order-level source, rebuilt message by message, and the events that its changes are.

The rules are those of market-by-order feeds (Databento MBO, hftbacktest level 3): an aggressor's trade and the fills of
resting orders are told first; then each filled order is told to have left, or to have a smaller size, which is the same
change once more.
"""

from __future__ import annotations

from heapq import heappop, heappush

from mmrl.data.events import ASK, BID, CANCEL, HALT, HIDDEN, LIMIT, NO_ORDER, NO_SIDE, NO_SIZE, TRADE
from mmrl.data.notes import MIRRORED, OPENING, Notes
from mmrl.data.table import no_rows

UNKNOWN = "removals of orders that the book does not hold"
SHOWN_ANEW = "orders shown anew after their shown part was executed (icebergs)"


class LevelBook:
    """Sizes by side and price, in ticks and lots, and the best of each side."""

    def __init__(self) -> None:
        self.sizes: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
        self._heaps: dict[int, list[int]] = {BID: [], ASK: []}  # prices, best first; those that are gone too

    def size(self, side: int, price: int) -> int:
        """Lots at a price; 0 where there are none."""
        return self.sizes[side].get(price, NO_SIZE)

    def set(self, side: int, price: int, size: int) -> int:
        """Let a price have this size; returns by how much it grew."""
        sizes = self.sizes[side]
        before = sizes.get(price, NO_SIZE)
        if size > 0:
            sizes[price] = size
            if not before:
                heappush(self._heaps[side], -side * price)
        elif before:
            del sizes[price]
        return max(size, 0) - before

    def best(self) -> tuple[int, int, int, int]:
        """Bid price and size, ask price and size."""
        return (*self._best(BID), *self._best(ASK))

    def _best(self, side: int) -> tuple[int, int]:
        sizes, heap = self.sizes[side], self._heaps[side]
        while heap:
            price = -side * heap[0]
            if price in sizes:
                return price, sizes[price]
            heappop(heap)
        return 0, NO_SIZE

    def clear(self, side: int = NO_SIDE) -> None:
        """Empty one side, or both."""
        for each in (BID, ASK) if side == NO_SIDE else (side,):
            self.sizes[each].clear()
            self._heaps[each].clear()


class OrderBook:
    """Orders by number, and the levels that they make up."""

    def __init__(self) -> None:
        self.orders: dict[int, tuple[int, int, int]] = {}
        """Side, price, size."""
        self.levels = LevelBook()

    def add(self, order: int, side: int, price: int, size: int) -> None:
        """Put an order into the book; one of that number leaves it first."""
        if order in self.orders:
            self.reduce(order, self.orders[order][2])
        if size > 0:
            self.orders[order] = side, price, size
            self.levels.set(side, price, self.levels.size(side, price) + size)

    def reduce(self, order: int, size: int) -> int:
        """Take up to so many lots from an order; returns how many it had to give."""
        side, price, left = self.orders[order]
        taken = min(size, left)
        self.levels.set(side, price, self.levels.size(side, price) - taken)
        if taken < left:
            self.orders[order] = side, price, left - taken
        else:
            del self.orders[order]
        return taken

    def clear(self, side: int = NO_SIDE) -> None:
        """Empty one side, or both."""
        self.orders = {} if side == NO_SIDE else {k: order for k, order in self.orders.items() if order[0] != side}
        self.levels.clear(side)


class Rebuilt:
    """Events of a market-by-order feed. Each method is one message; `rows` are the events so far.

    `fills_repeated`: a fill is told again as a removal or change of the order.
    """

    def __init__(self, notes: Notes, fills_repeated: bool = True) -> None:
        self._repeated = fills_repeated
        self.rows = no_rows()
        self.book = OrderBook()
        self.notes = notes
        self._told: dict[int, int] = {}  # lots by order whose fill was told and whose removal was not
        self._aggressor = (NO_ORDER, NO_SIDE)
        self._open: tuple[int, int, int, int, int] | None = None  # a trade that no fill followed yet

    def opening(self, line: int, order: int, side: int, price: int, size: int) -> None:
        """An order that rested before the first event, or is told of late; it has this size."""
        self.end()
        self.notes.add(OPENING, line)
        self.book.add(order, side, price, size)

    def halt(self, time: int, line: int, code: int) -> None:
        """Trading stops (-1), quoting (0) or trading (1) starts again."""
        self._event(time, line, HALT, NO_SIDE, code, NO_SIZE, NO_ORDER)

    def add(self, time: int, line: int, order: int, side: int, price: int, size: int) -> None:
        """A new order."""
        self._told.pop(order, None)
        if order in self.book.orders:
            self.notes.add("orders added twice, the older replaced", line)
        self._event(time, line, LIMIT, side, price, size, order)
        self.book.add(order, side, price, size)

    def cancel(self, time: int, line: int, order: int, size: int | None) -> None:
        """An order leaves by so many lots, or whole (None); those whose fill was told are gone already."""
        told = self._told.pop(order, 0)
        if told:
            self.notes.add(MIRRORED, line)
        if order not in self.book.orders:
            if not told:
                self.notes.add(UNKNOWN, line)
            return
        side, price, left = self.book.orders[order]
        wanted = left if size is None else min(size - told, left)
        if wanted > 0:
            self._event(time, line, CANCEL, side, price, wanted, order)
            self.book.reduce(order, wanted)

    def modify(self, time: int, line: int, order: int, side: int, price: int, size: int) -> None:
        """An order has this price and size now. What grows or moves loses its place: it leaves and comes anew."""
        told = self._told.pop(order, 0)
        if order not in self.book.orders:
            if size > 0:
                self.notes.add(SHOWN_ANEW if told else "changes of unknown orders, read as new orders", line)
                self.add(time, line, order, side, price, size)
            elif told:
                self.notes.add(MIRRORED, line)
            return
        if told:
            self.notes.add(MIRRORED, line)
        old_side, old_price, left = self.book.orders[order]
        if (old_side, old_price) == (side, price) and size <= left:
            if size < left:
                self._event(time, line, CANCEL, side, price, left - size, order)
                self.book.reduce(order, left - size)
            return
        self.notes.add("orders moved or enlarged, read as cancelled and sent anew", line)
        self._event(time, line, CANCEL, old_side, old_price, left, order)
        self.book.reduce(order, left)
        self._event(time, line, LIMIT, side, price, size, order)
        self.book.add(order, side, price, size)

    def trade(self, time: int, line: int, order: int, side: int, price: int, size: int) -> None:
        """An aggressor of this side trades; the fills of resting orders follow, unless nobody saw these orders."""
        self.end()
        self._aggressor = order, side
        self._open = time, line, side, price, size

    def fill(self, time: int, line: int, order: int, side: int, price: int, size: int) -> None:
        """A resting order trades. In an auction, whose fills have no side, the order only leaves the book."""
        aggressor, aggressor_side = self._aggressor
        if side == NO_SIDE:
            self.notes.add("fills within an auction", line)
            self._take(order, size)
            return
        if (order != NO_ORDER and order == aggressor) or (side != NO_SIDE and side == aggressor_side):
            self.notes.add("fills of the incoming order itself", line)
            return
        if self._open is not None:
            self.notes.add(MIRRORED, self._open[1])
            self._open = None
        if order not in self.book.orders:
            self.notes.add("fills of orders that the book does not hold", line)
        self._event(time, line, TRADE, side, price, size, order)
        self._take(order, size)

    def _take(self, order: int, size: int) -> None:
        if order in self.book.orders:
            taken = self.book.reduce(order, size)
            if self._repeated:
                self._told[order] = self._told.get(order, 0) + taken

    def end(self) -> None:
        """A trade that no fill of a side followed was one with an order that nobody saw, or an auction's."""
        if self._open is not None:
            (time, line, side, price, size), self._open = self._open, None
            self.notes.add("executions of hidden orders" if side else "auction trades, read as hidden", line)
            self._event(time, line, HIDDEN, -side, price, size, NO_ORDER)

    def _event(self, time: int, line: int, kind: int, side: int, price: int, size: int, order: int) -> None:
        if self._open is not None and kind != TRADE:
            self.end()
        self.rows.extend((time, kind, side, price, size, order, *self.book.levels.best(), line))
