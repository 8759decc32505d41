"""LOBSTER: a file of messages and, row by row, one of the book after each (Huang & Polak 2011).

A message: seconds after midnight, type, order, shares, price * 10^4, direction of the resting order. A row of the book:
ask price, shares, bid price, shares, by level. https://lobsterdata.com/info/DataStructure.php
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmrl.data.csv import DECIMAL, WHOLE, Block, Layout, typed
from mmrl.data.events import CANCEL, HALT, HIDDEN, LIMIT, NO_ORDER, NO_SIDE, NO_SIZE, TRADE, Events
from mmrl.data.files import ZIP, everything, magic, members, source_of
from mmrl.data.notes import TRUNCATED, Notes, refuse
from mmrl.data.table import Columns, Options, finished
from mmrl.data.units import inferred, units_of

PER_CURRENCY = 10_000
NO_LEVEL = 9_999_999_999
"""Price of an ask that does not exist; of a bid its negative."""
SUBMISSION, REDUCTION, DELETION, EXECUTION, HIDDEN_EXECUTION, AUCTION, HALTED = 1, 2, 3, 4, 5, 6, 7
KINDS = np.array([-1, LIMIT, CANCEL, CANCEL, TRADE, HIDDEN, HIDDEN, HALT])
MESSAGE = Layout(
    {"time": DECIMAL, "type": WHOLE, "order": WHOLE, "size": WHOLE, "price": WHOLE, "direction": WHOLE},
    ("time", "type", "order", "size", "price", "direction"),
)
BEST = ("ask price 1", "ask size 1", "bid price 1", "bid size 1")
SIDES = ("ask", "bid")
MIDNIGHT = 86_400
NEXT_DAY = 3_600
"""Seconds that the time must fall by for the lines below to be of another day."""
HALT_NOTES = {-1: "trading halts", 0: "quoting starts again", 1: "trading starts again"}


class Text(NamedTuple):
    """A file of text: a path, and the member of it that is meant where the path is a zip archive."""

    path: Path
    member: str | None

    @property
    def name(self) -> str:
        return self.member or self.path.name


def read(paths: Sequence[Path], options: Options) -> Events:
    """One day: message and orderbook file in either order, one of them that stands beside the other, or a zip of both.

    The book before the first message is unknown. DataError for files that do not fit together or do not fit LOBSTER.
    """
    message, book = _pair(paths)
    notes = Notes(message.name)
    width = everything(*book, 1 << 16).split(b"\n")[0].count(b",") + 1
    if width % 4:
        raise refuse(book.path, 1, f"{width} columns instead of a multiple of 4: two prices and two sizes a level")
    names = [
        f"{side} {what} {level + 1}" for level in range(width // 4) for side in SIDES for what in ("price", "size")
    ]
    layout = Layout(dict.fromkeys(names, WHOLE), BEST)
    pieces = list(_checked(message, _in_step(message, book, layout, notes), notes))
    if not pieces:
        raise refuse(message.path, None, "no message in the file")
    found = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    pieces.clear()
    return _events((message, book), found, options, notes)


def looks_like(text: str) -> str:
    """Whether the first line of a file is a message or a row of the book: "message", "orderbook" or ""."""
    fields = text.split(",")
    if len(fields) == 6 and re.fullmatch(r"\d{1,5}(\.\d+)?,[1-7](,-?\d+){3},-?[01]", text):
        return "message"
    if len(fields) % 4 == 0 and re.fullmatch(r"-?\d+(,-?\d+)+", text):
        return "orderbook"
    return ""


def _pair(paths: Sequence[Path]) -> tuple[Text, Text]:
    """The message and the orderbook file among some paths."""
    texts = [Text(path, name) for path in paths for name in _inside(path)]
    found: dict[str, list[Text]] = {"message": [], "orderbook": []}
    for text in texts:
        start = everything(text.path, text.member, 1 << 16).decode(errors="replace")
        kind = looks_like(start.split("\n")[0].strip())
        if not kind:
            raise refuse(text.path, 1, f"neither a message (6 columns) nor a row of the book: {start[:40]!r}")
        found[kind].append(text)
    for kind, other in (("message", "orderbook"), ("orderbook", "message")):
        if not found[kind] and len(found[other]) == 1 and found[other][0].member is None:
            path = found[other][0].path
            beside = path.with_name(path.name.replace(other, kind))
            if beside == path or not beside.is_file():
                raise refuse(path, None, f"the {kind} file of the same day is missing: name it too ({beside.name})")
            found[kind] = [Text(beside, name) for name in _inside(beside)]
    if len(found["message"]) != 1 or len(found["orderbook"]) != 1:
        counts = f"{len(found['message'])} message and {len(found['orderbook'])} orderbook files"
        raise refuse(paths[0], None, f"one day is one message and one orderbook file; here are {counts}")
    return found["message"][0], found["orderbook"][0]


def _inside(path: Path) -> list[str | None]:
    if not magic(path).startswith(ZIP):
        return [None]
    return [name for name in members(path) if "message" in name or "orderbook" in name] or [None]


def _in_step(message: Text, book: Text, layout: Layout, notes: Notes) -> Iterator[Block]:
    """Blocks of messages with the rows of the book beside them."""
    parts: dict[Text, list[Block]] = {message: [], book: []}
    readers = typed(*message, MESSAGE, notes), typed(*book, layout, notes)
    for pieces in zip_longest(*readers):
        for text, piece in zip((message, book), pieces, strict=True):
            if piece is not None:
                parts[text].append(piece)
        held = {text: _joined(parts[text]) for text in parts}
        ready = min(len(block.get("line", ())) for block in held.values())
        if ready:
            beside = {name: held[book][name][:ready] for name in BEST}
            yield {**beside, **{name: column[:ready] for name, column in held[message].items()}}
        for text, block in held.items():
            parts[text] = [{name: column[ready:] for name, column in block.items()}] if block else []
    for text, other in ((message, book), (book, message)):
        left = _joined(parts[text]).get("line", np.zeros(0))
        if len(left) == 1 and TRUNCATED in notes.counts:
            notes.add("lines whose partner is truncated, left out", int(left[0]), name=text.name)
        elif len(left):
            raise refuse(text.path, int(left[0]), f"no line of {other.name} belongs to it: the two need as many lines")


def _joined(blocks: list[Block]) -> Block:
    if len(blocks) <= 1:
        return blocks[0] if blocks else {}
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _checked(message: Text, blocks: Iterator[Block], notes: Notes) -> Iterator[Block]:
    """Blocks in which every type, direction, size and time is one of LOBSTER's."""
    above = -np.inf
    for block in blocks:
        time, kind, direction = block["time"], block["type"], block["direction"]
        orders = (kind >= SUBMISSION) & (kind <= AUCTION)
        _refuse_where((kind < SUBMISSION) | (kind > HALTED), message, block, "type", "is not 1 to 7")
        _refuse_where(orders & (np.abs(direction) != 1), message, block, "direction", "is neither 1 nor -1")
        _refuse_where(orders & (block["size"] <= 0), message, block, "size", "is not positive")
        _refuse_where(orders & (block["price"] <= 0), message, block, "price", "is not positive")
        _refuse_where((time < 0) | (time >= MIDNIGHT), message, block, "time", "is not within a day")
        falls = np.diff(time, prepend=above) < -NEXT_DAY
        _refuse_where(falls, message, block, "time", "is far below the one above: a second day begins, split the file")
        above = float(time[-1])
        notes.add_each("executions of hidden orders", block["line"][kind == HIDDEN_EXECUTION])
        notes.add_each("auction trades (type 6), read as hidden", block["line"][kind == AUCTION])
        for code, reason in HALT_NOTES.items():
            notes.add_each(reason, block["line"][(kind == HALTED) & (block["price"] == code)])
        yield block


def _refuse_where(wrong: NDArray[np.bool_], text: Text, block: Block, name: str, what: str) -> None:
    if wrong.any():
        first = int(wrong.argmax())
        raise refuse(text.path, int(block["line"][first]), f"{name} {block[name][first]:g} {what}")


def _events(texts: tuple[Text, Text], found: Block, options: Options, notes: Notes) -> Events:
    message, book = texts
    kind, line = KINDS[found["type"]], found["line"]
    halts, shown = kind == HALT, (kind != HIDDEN) & (kind != HALT)
    prices = [(message, line[shown], found["price"][shown])]
    sizes = [(message, line[~halts], found["size"][~halts])]
    there = {}
    for side in SIDES:
        there[side] = (found[f"{side} size 1"] > 0) & (np.abs(found[f"{side} price 1"]) != NO_LEVEL)
        prices.append((book, line[there[side]], found[f"{side} price 1"][there[side]]))
        sizes.append((book, line[there[side]], found[f"{side} size 1"][there[side]]))
    tick = inferred(np.array([inferred(column) for _, _, column in prices]))
    if options.tick is not None:
        tick = units_of(options.tick, PER_CURRENCY, "tick")
    lot = 1 if options.lot is None else units_of(options.lot, 1, "lot")
    for columns, step, what in ((prices, tick, "price"), (sizes, lot, "size")):
        for text, lines, values in columns:
            if (values % step).any():
                first = (values % step != 0).argmax()
                scale = f"{what} {values[first]} is no multiple of {step}, the {'tick' if what == 'price' else 'lot'}"
                raise refuse(text.path, int(lines[first]), f"{scale}{' * 10^4' if what == 'price' else ''}")
    between = (kind == HIDDEN) & (found["price"] % tick != 0)
    notes.add_each("hidden executions between two ticks, price rounded", line[between])
    before = {}
    for side in SIDES:
        before[f"{side}_price"] = _earlier(np.where(there[side], found[f"{side} price 1"] // tick, 0))
        before[f"{side}_size"] = _earlier(np.where(there[side], found[f"{side} size 1"] // lot, NO_SIZE))
    columns_ = Columns(
        time=np.rint(found["time"] * 1e9).astype(np.int64),
        kind=kind,
        side=np.where(halts, NO_SIDE, found["direction"]),
        price=np.where(halts, found["price"], np.rint(found["price"] / tick).astype(np.int64)),
        size=np.where(halts, NO_SIZE, found["size"] // lot),
        order=np.where(halts | (found["order"] <= 0), NO_ORDER, found["order"]),
        line=line,
        **before,
    )
    date = re.search(r"\d{4}-\d{2}-\d{2}", message.name)
    if options.date is not None and (date is None or date[0] != options.date):
        raise refuse(message.path, None, f"date={options.date}: the file name says {date[0] if date else 'no date'}")
    sources = tuple(source_of(path, "lobster") for path in dict.fromkeys((message.path, book.path)))
    return finished(columns_, tick / PER_CURRENCY, float(lot), date[0] if date else "", sources, notes)


def _earlier(column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each value a row later: what was true before the row. Nothing before the first."""
    return np.concatenate([np.zeros(1, np.int64), column[:-1]])
