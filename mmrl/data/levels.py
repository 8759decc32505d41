"""Events of sources that tell how much stands at a price after each change, and tell trades apart."""

from __future__ import annotations

import math

from mmrl.data.book import LevelBook
from mmrl.data.events import CANCEL, HALT, HIDDEN, LIMIT, NO_ORDER, NO_SIDE, NO_SIZE, TRADE
from mmrl.data.notes import OPENING, Notes
from mmrl.data.table import no_rows

Best = tuple[int, int, int, int]


class Changes:
    """Events from levels and trades. A level that shrinks by what was traded at it before is no cancellation.

    Orders that came and went between two changes of a level are not seen, nor is a cancellation that a new order of
    equal size outweighs.
    """

    def __init__(self, notes: Notes) -> None:
        self.rows = no_rows()
        self.book = LevelBook()
        self.notes = notes
        self._viewed: set[int] = set()  # sides whose levels were told once
        self._traded: dict[tuple[int, int], int] = {}  # lots by side and price that no change of the level told yet

    def opening(self, line: int, side: int, price: int, size: int) -> None:
        """What stands at a price, whoever put it there and when."""
        self.notes.add(OPENING, line)
        self._traded.pop((side, price), None)
        self.book.set(side, price, size)

    def trade(self, time: int, line: int, side: int, price: int, size: int, best: Best | None = None) -> None:
        """Lots that rested on this side at this price were executed."""
        self._row(time, TRADE, side, price, size, best, line)
        self._traded[side, price] = self._traded.get((side, price), 0) + size

    def hidden(self, time: int, line: int, side: int, price: int, size: int, best: Best | None = None) -> None:
        """Lots that nobody saw were executed."""
        self._row(time, HIDDEN, side, price, size, best, line)

    def halt(self, time: int, line: int, code: int) -> None:
        """Trading stops (-1), quoting (0) or trading (1) starts again."""
        self._row(time, HALT, NO_SIDE, code, NO_SIZE, None, line)

    def level(self, time: int, line: int, side: int, price: int, size: int, best: Best | None = None) -> None:
        """So many lots stand at a price now."""
        grown = size - self.book.size(side, price) + self._traded.pop((side, price), 0)
        if grown:
            self._row(time, LIMIT if grown > 0 else CANCEL, side, price, abs(grown), best, line)
        self.book.set(side, price, size)

    def view(self, time: int, line: int, side: int, shown: dict[int, int], depth: int) -> None:
        """The best levels of a side, sizes by price, at most `depth` of them: what stands beyond is out of sight.

        A level that comes into sight or leaves it since a better one left or came is no event. All events have the best
        prices from before the first of them.
        """
        best = self.book.best()
        before = dict(self.book.sizes[side])
        if side not in self._viewed:
            self._viewed.add(side)
            for price, size in shown.items():
                self.opening(line, side, price, size)
            return
        end_before, end = _end(side, before, depth), _end(side, shown, depth)
        for price in before:
            if price not in shown and side * price < end:
                self.book.set(side, price, 0)
            elif price not in shown:
                self.level(time, line, side, price, 0, best)
        for price, size in shown.items():
            if price not in before and side * price < end_before:
                self.book.set(side, price, size)
            else:
                self.level(time, line, side, price, size, best)

    def forget(self) -> None:
        """The book is cleared: what is told next stood there before."""
        self.book.clear()
        self._viewed.clear()
        self._traded.clear()

    def _row(self, time: int, kind: int, side: int, price: int, size: int, best: Best | None, line: int) -> None:
        self.rows.extend((time, kind, side, price, size, NO_ORDER, *(best or self.book.best()), line))


def _end(side: int, levels: dict[int, int], depth: int) -> float:
    """The worst level in sight, as side * price; no end where fewer levels are there than can be seen."""
    return min(side * price for price in levels) if len(levels) >= depth else -math.inf
