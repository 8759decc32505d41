"""Events of sources that tell how much stands at a price after each change, and tell trades apart."""

from __future__ import annotations

from mmrl.data.book import LevelBook
from mmrl.data.events import CANCEL, HIDDEN, LIMIT, NO_ORDER, TRADE
from mmrl.data.notes import OPENING, Notes
from mmrl.data.table import Row

Best = tuple[int, int, int, int]


class Changes:
    """Events from levels and trades. A level that shrinks by what was traded at it before is no cancellation.

    Orders that came and went between two changes of a level are not seen, nor is a cancellation that a new order of
    equal size outweighs.
    """

    def __init__(self, notes: Notes) -> None:
        self.rows: list[Row] = []
        self.book = LevelBook()
        self.notes = notes
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

    def level(self, time: int, line: int, side: int, price: int, size: int, best: Best | None = None) -> None:
        """So many lots stand at a price now."""
        grown = size - self.book.size(side, price) + self._traded.pop((side, price), 0)
        if grown:
            self._row(time, LIMIT if grown > 0 else CANCEL, side, price, abs(grown), best, line)
        self.book.set(side, price, size)

    def _row(self, time: int, kind: int, side: int, price: int, size: int, best: Best | None, line: int) -> None:
        self.rows.append((time, kind, side, price, size, NO_ORDER, *(best or self.book.best()), line))
