"""Event arrays of hftbacktest (.npz), by order (level 3) or by price (level 2). https://hftbacktest.readthedocs.io

Only what the exchange sees is read: rows with EXCH, at exchange time.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrl.data.book import Rebuilt
from mmrl.data.events import ASK, BID, NO_ORDER, NO_SIDE, Events
from mmrl.data.files import source_of
from mmrl.data.levels import Changes
from mmrl.data.notes import AGREE, COMPARED, Notes, refuse
from mmrl.data.table import Options, columns_of, finished, one_day
from mmrl.data.units import decimal, inferred, units_of

ROW = np.dtype(
    [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"), ("order_id", "u8"),
     ("ival", "i8"), ("fval", "f8")],
    align=True,
)  # fmt: skip
DEPTH, TRADE, CLEAR, SNAPSHOT, BEST, ADD, CANCEL, MODIFY, FILL = 1, 2, 3, 4, 5, 10, 11, 12, 13
HALT = 101
"""An event of our own; hftbacktest leaves those from 100 on to its users."""
BY_ORDER = (ADD, CANCEL, MODIFY, FILL)
EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
KIND = 0xFF
PIECE = 1 << 18
"""Rows that are read at a time."""
STOOD = 32
"""Bit of `ival`: the order was there before (Databento's F_SNAPSHOT, which hftbacktest's own converter keeps there)."""
UNSEEN = 256
"""Bit of `ival`, ours: a trade by which no level shrinks."""


def read(paths: Sequence[Path], options: Options) -> Events:
    """One day of one instrument. DataError for arrays of other fields, unknown events, and more than one file."""
    if len(paths) != 1:
        raise refuse(paths[0], None, f"one event array at a time: {len(paths)} are named")
    path, notes = paths[0], Notes(paths[0])
    data = array_of(path)
    line = np.arange(1, len(data) + 1)
    seen = (data["ev"] & EXCH) > 0
    notes.add_each("rows for the local side only, left out", line[~seen])
    data, line = data[seen], line[seen]
    kinds = (data["ev"] & KIND).astype(np.int64)
    unknown = ~np.isin(kinds, [DEPTH, TRADE, CLEAR, SNAPSHOT, BEST, *BY_ORDER, HALT])
    if unknown.any():
        raise refuse(path, int(line[unknown.argmax()]), f"unknown event {kinds[unknown.argmax()]}")
    numbers = np.isfinite(data["px"]) & np.isfinite(data["qty"])
    if not numbers.all():
        raise refuse(path, int(line[numbers.argmin()]), "price or quantity is no number")
    if not len(data):
        raise refuse(path, None, "no row with the flag EXCH (1 << 31) in the array")
    plain = np.isin(kinds, (CLEAR, HALT))
    (prices,), price_scale = decimal([np.where(plain, 0.0, data["px"])])
    (sizes,), size_scale = decimal([np.where(plain, 0.0, data["qty"])])
    tick = inferred(prices) if options.tick is None else units_of(options.tick, price_scale, "tick")
    lot = inferred(sizes) if options.lot is None else units_of(options.lot, size_scale, "lot")
    for values, step, what in ((prices, tick, "price"), (sizes, lot, "quantity")):
        if (values % step).any():
            raise refuse(path, int(line[(values % step != 0).argmax()]), f"{what} is no multiple of its step")
    rows = {
        "time": data["exch_ts"], "line": line, "kind": kinds,
        "side": np.where(data["ev"] & BUY, BID, np.where(data["ev"] & SELL, ASK, NO_SIDE)),
        "order": np.where(data["order_id"] == 0, NO_ORDER, data["order_id"].astype(np.int64)),
        "price": np.where(plain, np.floor(data["px"] * price_scale / tick), prices // tick), "size": sizes // lot,
        "mark": data["ival"],
    }  # fmt: skip
    rows["price"] = np.where(kinds == HALT, data["px"], rows["price"]).astype(np.int64)
    replay = _by_order if np.isin(kinds, BY_ORDER).any() else _by_price
    made = replay(_each(list(rows.values())), kinds, notes)
    if not made:
        raise refuse(path, None, "no event in the array: the book never changes")
    columns, date = one_day(path, columns_of(made), options.date, notes)
    source = (source_of(path, "hftbacktest"),)
    return finished(columns, tick / price_scale, lot / size_scale, date, source, notes)


def _each(columns: Sequence[NDArray[Any]]) -> Iterator[tuple[int, ...]]:
    """Rows of columns as Python's numbers, which take five times the memory: a piece at a time."""
    for first in range(0, len(columns[0]), PIECE):
        yield from zip(*(column[first : first + PIECE].tolist() for column in columns), strict=True)


def array_of(path: Path) -> NDArray[np.void]:
    """The event array of a file as it stands. DataError where it is none, or has no rows."""
    try:
        with np.load(path, allow_pickle=False) as file:
            name = "data" if "data" in file.files else file.files[0]
            found = file[name]
    except (OSError, ValueError, zipfile.BadZipFile, IndexError, EOFError, AttributeError) as error:
        raise refuse(path, None, f"no .npz file of one array ({error})") from None
    missing = set(ROW.names or ()) - set(found.dtype.names or ())
    if missing or found.ndim != 1:
        fields = ", ".join(sorted(missing)) or "one dimension"
        raise refuse(path, None, f"no event array of hftbacktest 2: it lacks {fields}")
    if not len(found):
        raise refuse(path, None, "the array is empty")
    return found


def _by_order(rows: Any, kinds: NDArray[np.int64], notes: Notes) -> Any:
    made = Rebuilt(notes)
    for time, line, kind, side, order, price, size, mark in rows:
        if kind == ADD and mark & STOOD:
            made.opening(line, order, side, price, size)
        elif kind == CANCEL and mark & STOOD:
            made.opening(line, order, side, price, 0)
        elif kind == ADD:
            made.add(time, line, order, side, price, size)
        elif kind == CANCEL:
            made.cancel(time, line, order, None)
        elif kind == MODIFY:
            made.modify(time, line, order, side, price, size)
        elif kind == FILL:
            made.fill(time, line, order, side, price, size)
        elif kind == TRADE:
            made.trade(time, line, order, side, price, size)
        elif kind == HALT:
            made.halt(time, line, price)
        elif kind == CLEAR:
            notes.add("clearings of the book", line)
            made.end()
            made.book.clear(side)
        else:
            notes.add("rows by price within an array by order, left out", line)
    made.end()
    return made.rows


def _by_price(rows: Any, kinds: NDArray[np.int64], notes: Notes) -> Any:
    made, deep = Changes(notes), bool((kinds == DEPTH).any())
    for time, line, kind, side, _, price, size, mark in rows:
        if kind == TRADE and (mark & UNSEEN or side == NO_SIDE):
            made.hidden(time, line, -side, price, size)
        elif kind == TRADE:
            made.trade(time, line, -side, price, size)
        elif kind == HALT:
            made.halt(time, line, price)
        elif side == NO_SIDE and kind != CLEAR:
            raise refuse(notes.name, line, "a change of the book without a side")
        elif kind == DEPTH:
            made.level(time, line, side, price, size)
        elif kind == SNAPSHOT:
            made.opening(line, side, price, size)
        elif kind == BEST and deep:
            bid, _, ask, _ = made.book.best()
            notes.add(COMPARED)
            notes.add(AGREE, count=int(price == (bid if side == BID else ask)))
        elif kind == BEST:
            made.view(time, line, side, {price: size} if size else {}, 1)
        else:
            notes.add("clearings of the book", line)
            for each in (BID, ASK) if side == NO_SIDE else (side,):
                for old in [old for old in made.book.sizes[each] if side == NO_SIDE or each * old >= each * price]:
                    made.book.set(each, old, 0)
    return made.rows
