"""Binance market streams as recorded lines: local time in nanoseconds, a blank, one JSON message of a stream.

Changes of depth, trades, best prices and snapshots of the book, of spot and of futures.
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmrl.data.events import ASK, BID, Events
from mmrl.data.files import lines, source_of
from mmrl.data.levels import Best, Changes
from mmrl.data.notes import AGREE, COMPARED, TRUNCATED, DataError, Notes, refuse
from mmrl.data.table import Options, columns_of, finished, one_day
from mmrl.data.units import SCALE, inferred, scaled, units_of

FORM = re.compile(r"(\d{13,19}) (\{.*\})")
SNAPSHOT, DEPTH, TRADE, QUOTE = "snapshot", "depthUpdate", "trade", "bookTicker"
KINDS = {DEPTH: DEPTH, TRADE: TRADE, "aggTrade": TRADE, QUOTE: QUOTE}
LEVELS = (("b", BID), ("a", ASK))
IN_THE_BOOK = ("MARKET", None)
"""Values of `X` of trades that resting orders of the book took part in; others are liquidations and the like."""


class Message(NamedTuple):
    """One line. Prices and sizes are multiples of 1e-8."""

    time: int
    line: int
    kind: str
    update: int
    """Number of the last change that the message knows of; 0 for a trade."""
    before: int | None
    """Number of the change before it, where the message tells."""
    levels: list[tuple[int, int, int]]
    """Side, price and size: of changes and snapshots all, of a quote bid and ask, of a trade the resting side's."""


def read(paths: Sequence[Path], options: Options) -> Events:
    """One day of one symbol, in the order of exchange times; its best prices are those of the stream of best prices.

    Without that stream they are those of the book rebuilt from snapshot and changes; with both, the share in which they
    agree is noted. DataError for lines that are no messages, several symbols or days.
    """
    if len(paths) != 1:
        raise refuse(paths[0], None, f"one file of recorded lines at a time: {len(paths)} are named")
    path, notes = paths[0], Notes(paths[0])
    messages = list(_messages(path, options.symbol, notes))
    if not messages:
        raise refuse(path, None, "no message in the file")
    times = np.array([message.time for message in messages])
    late = times < np.maximum.accumulate(times)
    notes.add_each("lines after later ones, put in the order of time", [messages[k].line for k in np.flatnonzero(late)])
    messages = [messages[k] for k in np.argsort(times, kind="stable")]
    prices, sizes = (np.array([level[k] for m in messages for level in m.levels], np.int64) for k in (1, 2))
    tick = inferred(prices) if options.tick is None else units_of(options.tick, SCALE, "tick")
    lot = inferred(sizes) if options.lot is None else units_of(options.lot, SCALE, "lot")
    for message in messages:
        for _, price, size in message.levels:
            if price % tick or size % lot:
                raise refuse(path, message.line, f"{price / SCALE:g} x {size / SCALE:g} is no multiple of tick and lot")
    rows = _replayed(messages, tick, lot, notes).rows
    if not rows:
        raise refuse(path, None, "no event in the file: neither trades nor changes of the book")
    columns, date = one_day(path, columns_of(rows), options.date, notes)
    return finished(columns, tick / SCALE, lot / SCALE, date, (source_of(path, "binance"),), notes)


def _messages(path: Path, symbol: str | None, notes: Notes) -> Iterator[Message]:
    first: str | None = symbol
    for number, text, ended in lines(path):
        try:
            found = FORM.fullmatch(text)
            if not found:
                raise ValueError("no local time and JSON message")
            told = json.loads(found[2])
            data = told.get("data", told)
            name = data.get("s")
            if symbol is not None and name not in (symbol, None):
                notes.add("messages of other symbols, left out", number)
                continue
            if name is not None and first is not None and name != first:
                raise refuse(path, number, f"a second symbol, {name} after {first}: choose one with symbol=")
            first = first or name
            message = _message(data, int(found[1]), number)
        except DataError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if not ended:
                notes.add(TRUNCATED, number)
                continue
            raise refuse(path, number, f"no message of a stream ({error}): {text[:60]!r}") from None
        if isinstance(message, Message):
            yield message
        else:
            notes.add(message, number)


def _message(data: dict[str, Any], local: int, line: int) -> Message | str:
    """A message, or why it is left out."""
    stamp = data.get("T", data.get("E"))
    time = int(stamp) * 1_000_000 if stamp is not None else local * 10 ** (19 - len(str(local)))
    if "lastUpdateId" in data:
        levels = [*_levels(data["bids"], BID), *_levels(data["asks"], ASK)]
        return Message(time, line, SNAPSHOT, int(data["lastUpdateId"]), None, levels)
    event = data.get("e", QUOTE if {"u", "b", "B", "a", "A"} <= data.keys() else None)
    kind = KINDS.get(str(event))
    if kind == DEPTH:
        levels = [level for key, side in LEVELS for level in _levels(data[key], side)]
        before = data["pu"] if "pu" in data else data["U"] - 1
        return Message(time, line, DEPTH, int(data["u"]), int(before), levels)
    if kind == TRADE:
        if data.get("X") not in IN_THE_BOOK:
            return f"trades outside the book ({data['X']}), left out"
        side = BID if data["m"] else ASK
        return Message(time, line, TRADE, 0, None, [(side, scaled(data["p"]), scaled(data["q"]))])
    if kind == QUOTE:
        quote = [(side, scaled(data[key]), scaled(data[key.upper()])) for key, side in LEVELS]
        return Message(time, line, QUOTE, int(data["u"]), None, quote)
    return f"messages of another kind ({event}), left out"


def _levels(told: list[list[str]], side: int) -> list[tuple[int, int, int]]:
    return [(side, scaled(price), scaled(size)) for price, size in told]


def _replayed(messages: Sequence[Message], tick: int, lot: int, notes: Notes) -> Changes:
    """Events of all messages, which stand in the order of time."""
    made, quotes = Changes(notes), [message for message in messages if message.kind == QUOTE]
    quotes.sort(key=lambda message: message.update)
    numbers = [quote.update for quote in quotes]
    deep = any(message.kind == DEPTH for message in messages)
    start = next((message.update for message in messages if message.kind == SNAPSHOT), None)
    last: int | None = None  # number of the last change in the book; none while the book is unknown
    best: Best | None = None
    seen: set[tuple[int, int]] = set()
    for time, line, kind, update, before, told in messages:
        levels = [(side, price // tick, size // lot) for side, price, size in told]
        if kind == TRADE:
            made.trade(time, line, *levels[0], best)
        elif kind == QUOTE:
            (_, bid, bid_size), (_, ask, ask_size) = levels
            if not deep:
                for side, price, size in levels:
                    made.view(time, line, side, {price: size} if size else {}, 1)
            best = bid, bid_size, ask, ask_size
        elif kind == SNAPSHOT and (last is None or update >= last):
            made.forget()
            for side, price, size in levels:
                made.opening(line, side, price, size)
            last = update
        elif kind == SNAPSHOT:
            notes.add("snapshots older than the book, left out", line)
        elif update <= (start if last is None and start is not None else last or 0):
            notes.add("changes from before the snapshot, left out", line)
        else:
            if last is not None and before is not None and before > last:
                notes.add("gaps in the numbers of the changes", line)
            for side, price, size in levels:
                if start is None and (side, price) not in seen:
                    seen.add((side, price))
                    made.opening(line, side, price, size)
                else:
                    made.level(time, line, side, price, size, best)
            last = update
            _compare(made, quotes, bisect_right(numbers, update), tick, notes)
    return made


def _compare(made: Changes, quotes: Sequence[Message], known: int, tick: int, notes: Notes) -> None:
    """Note whether the book's best prices are those that the stream of best prices told last."""
    if known:
        told = [price // tick for _, price, _ in quotes[known - 1].levels]
        bid, _, ask, _ = made.book.best()
        notes.add(COMPARED)
        notes.add(AGREE, count=int([bid, ask] == told))
