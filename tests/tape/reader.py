"""A reader of LOBSTER files that knows nothing of mmrl: it replays the messages and looks at every row of the book."""

from __future__ import annotations

import csv
from pathlib import Path

SUBMISSION, REDUCTION, DELETION, EXECUTION = 1, 2, 3, 4
NOWHERE = 9_999_999_999
Level = tuple[int, int]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def book_of(row: list[str]) -> dict[int, list[Level]]:
    """Levels (price, shares) of asks (-1) and bids (1), those included that do not exist."""
    numbers = [int(text) for text in row]
    return {
        -1: list(zip(numbers[0::4], numbers[1::4], strict=True)),
        1: list(zip(numbers[2::4], numbers[3::4], strict=True)),
    }


def levels_of(side: dict[int, int], direction: int, count: int) -> list[Level]:
    """The best levels of a side, best first, filled up by levels that do not exist."""
    best_first = sorted(side.items(), key=lambda level: -direction * level[0])[:count]
    return best_first + [(-direction * NOWHERE, 0)] * (count - len(best_first))


class Replay:
    """All orders of a tape, from the book after its first message on. Every level must be in the files."""

    def __init__(self, message: Path, orderbook: Path) -> None:
        self.kinds = dict.fromkeys((SUBMISSION, REDUCTION, DELETION, EXECUTION), 0)
        messages, books = rows_of(message), rows_of(orderbook)
        assert len(messages) == len(books) > 0
        first = book_of(books[0])
        self.levels = len(first[1])
        self.sides = {side: {price: n for price, n in first[side] if n} for side in (-1, 1)}
        self.left: dict[int, int] = {}  # shares of orders that were submitted within the tape
        self.queues: dict[tuple[int, int], list[int]] = {}
        now = float(messages[0][0])
        assert now >= 34_200
        for message_row, book_row in zip(messages[1:], books[1:], strict=True):
            assert float(message_row[0]) >= now
            now = float(message_row[0])
            kind, order, shares, price, direction = map(int, message_row[1:])
            self.kinds[kind] += 1
            self.apply(kind, order, shares, price, direction)
            shown = book_of(book_row)
            for side in (-1, 1):
                assert len(self.sides[side]) < self.levels, "the book is deeper than the files"
                assert shown[side] == levels_of(self.sides[side], side, self.levels)
            if self.sides[1] and self.sides[-1]:
                assert max(self.sides[1]) < min(self.sides[-1]), "the book is crossed"

    def apply(self, kind: int, order: int, shares: int, price: int, direction: int) -> None:
        assert shares > 0
        side, queue = self.sides[direction], self.queues.setdefault((direction, price), [])
        if kind == SUBMISSION:
            assert order not in self.left
            assert not self.left or order > max(self.left)
            self.left[order] = shares
            queue.append(order)
            side[price] = side.get(price, 0) + shares
            return
        if kind == EXECUTION:
            assert price == (max(side) if direction == 1 else min(side)), "a better price stood there"
            older = [other for other in queue if self.left[other] and other < order]
            assert not older, "an order was passed over"
        side[price] -= shares
        assert side[price] >= 0
        if side[price] == 0:
            del side[price]
        if order in self.left:
            assert order in queue
            self.left[order] -= shares
            assert self.left[order] >= 0
            assert (self.left[order] == 0) >= (kind == DELETION)
            assert (self.left[order] > 0) >= (kind == REDUCTION)
