"""Bitstamp's order-level stream as the R package obAnalytics records it: a log of JSON messages, or a table of orders.

A log line: local time in milliseconds, kind, message. A row of the table: id, timestamp (local), exchange.timestamp,
price, volume (units of 1e-8), action, direction. https://github.com/phil8192/ob-analytics
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmrl.data.book import UNKNOWN, Rebuilt
from mmrl.data.events import ASK, BID, Events
from mmrl.data.files import lines, source_of
from mmrl.data.notes import AGREE, COMPARED, MIRRORED, TRUNCATED, Notes, refuse
from mmrl.data.table import Options, columns_of, finished, one_day
from mmrl.data.units import SCALE, inferred, scaled, units_of

FORM = re.compile(r"(\d{13}) (order_created|order_changed|order_deleted|order_book|trade) (\{.*\})")
HEADER = "id,timestamp,exchange.timestamp,price,volume,action,direction"
CREATED, CHANGED, DELETED, SHOWN, TRADED = "created", "changed", "deleted", "book", "trade"
TOGETHER = 1_000
"""Milliseconds within which both orders of a trade are told of."""
ROUNDING = 2
"""Units of 1e-8 by which their amounts may differ: tables were cut, not rounded, to whole units."""


class Message(NamedTuple):
    """One line. Price and amount are multiples of 1e-8; the amount is what is left of the order."""

    time: int
    """Milliseconds since 1970."""
    line: int
    action: str
    order: int = 0
    side: int = 0
    price: int = 0
    amount: int = 0
    best: tuple[int, int] = (0, 0)
    """Bid and ask price of a book that is shown."""


class Fill(NamedTuple):
    """An execution of one order; its amount is None where nobody told how large the order was."""

    message: Message
    amount: int | None


def read(paths: Sequence[Path], options: Options) -> Events:
    """One day. Of the two orders of a trade the older rested; the younger comes into the book when its trades are over.

    Orders whose creation is not in the file rested from the start. Best prices of the rebuilt book are compared with
    those of the books in the log. DataError for lines that do not fit.
    """
    if len(paths) != 1:
        raise refuse(paths[0], None, f"one log or one table of orders at a time: {len(paths)} are named")
    path, notes = paths[0], Notes(paths[0])
    messages = list(_messages(path, notes))
    orders = [message for message in messages if message.action in (CREATED, CHANGED, DELETED)]
    if not orders:
        raise refuse(path, None, "no order in the file")
    taken, ends = _paired(orders, notes)
    prices = np.array([message.price for message in orders], np.int64)
    sizes = np.array([*(message.amount for message in orders), *taken.values()], np.int64)
    tick = inferred(prices) if options.tick is None else units_of(options.tick, SCALE, "tick")
    lot = inferred(sizes) if options.lot is None else units_of(options.lot, SCALE, "lot")
    for message in orders:
        if message.price % tick or message.amount % lot:
            raise refuse(
                path,
                message.line,
                f"{message.price / SCALE:g} x {message.amount / SCALE:g} is no multiple of tick and lot",
            )
    made = _replayed(messages, taken, ends, (tick, lot), notes)
    columns, date = one_day(path, columns_of(made.rows), options.date, notes)
    return finished(columns, tick / SCALE, lot / SCALE, date, (source_of(path, "bitstamp"),), notes)


def _messages(path: Path, notes: Notes) -> Iterator[Message]:
    table = None
    for number, text, ended in lines(path):
        if table is None:
            table = text == HEADER
            if table:
                continue
        try:
            yield _row(text, number) if table else _logged(text, number)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            if ended:
                raise refuse(path, number, f"no message of Bitstamp's orders ({error}): {text[:60]!r}") from None
            notes.add(TRUNCATED, number)


def _row(text: str, line: int) -> Message:
    order, time, _, price, volume, action, direction = text.split(",")
    if action not in (CREATED, CHANGED, DELETED):
        raise ValueError(f"unknown action {action}")
    side = {"bid": BID, "ask": ASK}[direction]
    return Message(int(time), line, action, int(order), side, scaled(price), int(volume))


def _logged(text: str, line: int) -> Message:
    found = FORM.fullmatch(text)
    if not found:
        raise ValueError("no local time, kind and JSON message")
    time, data, action = int(found[1]), json.loads(found[3]), found[2].removeprefix("order_")
    if action == SHOWN:
        best = (scaled(data["bids"][0][0]), scaled(data["asks"][0][0])) if data["bids"] and data["asks"] else (0, 0)
        return Message(time, line, SHOWN, best=best)
    if action == TRADED:
        return Message(time, line, TRADED)
    side = {0: BID, 1: ASK}[data["order_type"]]
    return Message(time, line, action, int(data["id"]), side, scaled(data["price"]), scaled(data["amount"]))


def _fills(orders: Sequence[Message], notes: Notes) -> Iterator[Fill]:
    """Changes that are executions: what is left shrank, or an order is deleted with nothing left."""
    left: dict[int, int] = {}
    for message in orders:
        before = left.get(message.order)
        if message.action != CREATED:
            gone = None if before is None else before - message.amount
            if gone is not None and gone < 0:
                notes.add("orders that grew, read as cancelled and sent anew", message.line)
            elif gone or (gone is None and (message.action == CHANGED or message.amount == 0)):
                yield Fill(message, gone)
        left[message.order] = message.amount


def _paired(orders: Sequence[Message], notes: Notes) -> tuple[dict[int, int], dict[int, int]]:
    """Lots (1e-8) executed by line, and the line at which the last execution of each incoming order is told.

    The two orders of a trade are of opposite sides, and shrink by the same amount within a second.
    """
    taken: dict[int, int] = {}
    ends: dict[int, int] = {}
    waiting: list[Fill] = []
    for fill in _fills(orders, notes):
        waiting = [other for other in waiting if fill.message.time - other.message.time <= TOGETHER]
        for other in reversed(waiting):
            amounts = [amount for amount in (fill.amount, other.amount) if amount is not None]
            alike = amounts and max(amounts) - min(amounts) <= ROUNDING
            if fill.message.side != other.message.side and alike:
                waiting.remove(other)
                taken[fill.message.line], taken[other.message.line] = amounts[0], amounts[-1]
                incoming = max(fill.message, other.message, key=lambda message: message.order)
                ends[incoming.order] = incoming.line
                break
        else:
            waiting.append(fill)
            if fill.amount is not None:
                taken[fill.message.line] = fill.amount
    return taken, ends


def _replayed(
    messages: Sequence[Message], taken: dict[int, int], ends: dict[int, int], units: tuple[int, int], notes: Notes
) -> Rebuilt:
    tick, lot = units
    made = Rebuilt(notes, fills_repeated=False)
    created = {message.order for message in messages if message.action == CREATED}
    for message in messages:
        if message.action in (CHANGED, DELETED) and message.order not in created:
            created.add(message.order)
            size = (message.amount + taken.get(message.line, 0)) // lot
            made.opening(message.line, message.order, message.side, message.price // tick, size)
    for message in messages:
        time, line, action, order, side, price, amount, best = message
        time, price, size = time * 1_000_000, price // tick, amount // lot
        executed = taken.get(line, 0) // lot
        if action == SHOWN:
            bid, _, ask, _ = made.book.levels.best()
            notes.add(COMPARED)
            notes.add(AGREE, count=int((bid * tick, ask * tick) == best))
        elif action == TRADED:
            notes.add(MIRRORED, line)
        elif line <= ends.get(order, 0):
            notes.add("messages of incoming orders before they rest", line)
            if line == ends[order] and action == CHANGED and size:
                made.add(time, line, order, side, price, size)
        elif action == CREATED:
            made.add(time, line, order, side, price, size)
        elif executed:
            made.fill(time, line, order, side, price, executed)
        elif order not in made.book.orders:
            notes.add(UNKNOWN, line)
        elif action == DELETED:
            made.cancel(time, line, order, None)
        else:
            made.modify(time, line, order, side, price, size)
    return made
