"""Databento Binary Encoding (.dbn, .dbn.zst): market by order, and the best price or the ten best.

https://databento.com/docs/schemas-and-data-formats
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmrl.data.book import Rebuilt
from mmrl.data.events import ASK, BID, NO_ORDER, NO_SIDE, NO_SIZE, Events
from mmrl.data.files import everything, source_of
from mmrl.data.levels import Changes
from mmrl.data.notes import TRUNCATED, Notes, needed, refuse
from mmrl.data.table import Options, columns_of, finished, one_day
from mmrl.data.units import inferred, units_of

START = b"DBN"
PRICE_SCALE = 1_000_000_000
"""Prices are whole multiples of 1e-9."""
NO_PRICE = 2**63 - 1
CLASSES = {"mbo": ("MBOMsg", 160), "mbp-1": ("MBP1Msg", 1), "mbp-10": ("MBP10Msg", 10)}
"""Of each schema the class of its records in the library, and the number of their type."""
SIDES = {b"B": BID, b"A": ASK, b"N": NO_SIDE}
SNAPSHOT, MAYBE_BAD = 32, 4
"""Bits of `flags`: the record tells of the book at the start; the vendor doubts the book."""
Records = NDArray[np.void]


def read(paths: Sequence[Path], options: Options) -> Events:
    """One day of one instrument. Order-level records are rebuilt into the book.

    A trade with an order that nobody saw (hidden, or implied from another book) becomes a hidden execution. DataError
    for other schemas, several instruments or days, and files that are no DBN.
    """
    if len(paths) != 1:
        raise refuse(paths[0], None, f"one DBN file at a time: {len(paths)} are named")
    path, notes = paths[0], Notes(paths[0])
    records, schema, symbols = _records(path, notes)
    records, line = _of_instrument(path, records, symbols, options.symbol, notes)
    prices = records["price"][
        (records["price"] != NO_PRICE) & (records["action"] != b"T") & (records["action"] != b"F")
    ]
    step = inferred(prices) if options.tick is None else units_of(options.tick, PRICE_SCALE, "tick")
    lot = 1 if options.lot is None else units_of(options.lot, 1, "lot")
    _check(path, records, line, step, lot)
    notes.add_each("records whose book the vendor doubts", line[(records["flags"] & MAYBE_BAD) > 0])
    rebuilt = _from_orders(path, records, line, step, lot, notes) if schema == "mbo" else None
    rows = rebuilt.rows if rebuilt else _from_levels(records, line, step, lot, notes).rows
    if not rows:
        raise refuse(path, None, "no event in the file")
    columns, date = one_day(path, columns_of(rows), options.date, notes)
    return finished(columns, step / PRICE_SCALE, float(lot), date, (source_of(path, "databento"),), notes)


def _records(path: Path, notes: Notes) -> tuple[Records, str, dict[int, str]]:
    """The records of one schema, its name, and symbols by instrument."""
    library, data = needed("databento_dbn"), everything(path)
    if not data.startswith(START) or len(data) < 8:
        raise refuse(path, None, "no DBN file: it does not begin with the letters DBN")
    start = 8 + struct.unpack("<I", data[4:8])[0]
    try:
        metadata = library.Metadata.decode(data[:start])
    except Exception as error:
        raise refuse(path, None, f"damaged DBN header: {error}") from None
    schema = str(metadata.schema)
    if schema not in CLASSES:
        raise refuse(path, None, f"schema {schema} is not read: fetch {', '.join(CLASSES)}")
    name, rtype = CLASSES[schema]
    fields = [*getattr(library, name)._dtypes, *([("ts_out", "u8")] if metadata.ts_out else [])]
    dtype = np.dtype(fields)
    size = dtype.itemsize
    body = data[start:]
    records = np.frombuffer(body, dtype, count=len(body) // size)
    if len(body) % size or (records["length"] != size // 4).any() or (records["rtype"] != rtype).any():
        records = np.frombuffer(_picked(path, body, size, rtype, notes), dtype)
    if not len(records):
        raise refuse(path, None, "no record in the file")
    return records, schema, _symbols(metadata)


def _picked(path: Path, body: bytes, size: int, rtype: int, notes: Notes) -> bytes:
    """The records of one type among others, whole ones only."""
    kept, at, number = [], 0, 0
    while at < len(body):
        length, number = 4 * body[at], number + 1
        if length == 0:
            raise refuse(path, number, "damaged record: it has no length")
        if at + length > len(body):
            notes.add(TRUNCATED, number)
            break
        if body[at + 1] == rtype and length == size:
            kept.append(body[at : at + length])
        else:
            notes.add("records of other kinds, left out", number)
        at += length
    return b"".join(kept)


def _symbols(metadata: Any) -> dict[int, str]:
    found = {}
    for symbol, intervals in metadata.mappings.items():
        for interval in intervals:
            name = interval["symbol"] if isinstance(interval, dict) else interval.symbol
            if str(name).isdigit():
                found[int(name)] = str(symbol)
    return found


def _of_instrument(
    path: Path, records: Records, symbols: dict[int, str], symbol: str | None, notes: Notes
) -> tuple[Records, NDArray[np.int64]]:
    """The records of one instrument, and their numbers from 1."""
    line = np.arange(1, len(records) + 1)
    there = {symbols.get(int(number), str(number)): int(number) for number in np.unique(records["instrument_id"])}
    if symbol is None and len(there) > 1:
        raise refuse(
            path, None, f"holds {len(there)} instruments: choose one with symbol= {', '.join(list(there)[:10])}"
        )
    if symbol is not None and symbol not in there:
        raise refuse(path, None, f"holds no {symbol}: it holds {', '.join(list(there)[:10])}")
    here = records["instrument_id"] == there[symbol or next(iter(there))]
    notes.add("records of other instruments, left out", None, int((~here).sum()))
    return records[here], line[here]


def _check(path: Path, records: Records, line: NDArray[np.int64], step: int, lot: int) -> None:
    priced = records["price"] != NO_PRICE
    for wrong, what in (
        (priced & (records["price"] % step != 0), f"the price is no multiple of tick = {step / PRICE_SCALE:g}"),
        (records["size"] % lot != 0, f"the size is no multiple of lot = {lot}"),
        (~np.isin(records["side"], list(SIDES)), "the side is none of B, A, N"),
        (~np.isin(records["action"], [b"A", b"C", b"M", b"R", b"T", b"F", b"N"]), "unknown action"),
    ):
        if wrong.any():
            raise refuse(path, int(line[wrong.argmax()]), what)


def _from_orders(path: Path, records: Records, line: NDArray, step: int, lot: int, notes: Notes) -> Rebuilt:
    made = Rebuilt(notes)
    columns = [records[name].tolist() for name in ("ts_event", "action", "side", "flags", "order_id")]
    prices, sizes = (records["price"] // step).tolist(), (records["size"] // lot).tolist()
    for time, action, letter, flags, number, price, size, at in zip(
        *columns, prices, sizes, line.tolist(), strict=True
    ):
        side, order = SIDES[letter], number or NO_ORDER
        if action == b"R":
            made.book.clear()
            notes.add("clearings of the book", at)
        elif action == b"A" and flags & SNAPSHOT:
            made.opening(at, order, side, price, size)
        elif action == b"T":
            made.trade(time, at, order, side, price, size)
        elif action == b"F":
            made.fill(time, at, order, side, price, size)
        elif action == b"C":
            made.cancel(time, at, order, size)
        elif action == b"N" or side == NO_SIDE or price * step >= NO_PRICE - step:
            notes.add("records without a change of the book", at)
        elif action == b"A":
            made.add(time, at, order, side, price, size)
        else:
            made.modify(time, at, order, side, price, size)
    made.end()
    return made


def _from_levels(records: Records, line: NDArray, step: int, lot: int, notes: Notes) -> Changes:
    """Events from the levels after each record; those of a trade are told before it takes effect."""
    made, depth = Changes(notes), 10 if "bid_px_09" in (records.dtype.names or ()) else 1
    shown = {
        side: [
            ((records[f"{name}_px_0{k}"] // step).tolist(), (records[f"{name}_sz_0{k}"] // lot).tolist())
            for k in range(depth)
        ]
        for side, name in ((BID, "bid"), (ASK, "ask"))
    }
    columns = [records[name].tolist() for name in ("ts_event", "action", "side")]
    prices, sizes = (records["price"] // step).tolist(), (records["size"] // lot).tolist()
    rows = zip(*columns, prices, sizes, line.tolist(), strict=True)
    for row, (time, action, letter, price, size, at) in enumerate(rows):
        side = SIDES[letter]
        if action == b"R":
            notes.add("clearings of the book", at)
            made.forget()
        elif action == b"T" and side == NO_SIDE:
            made.hidden(time, at, NO_SIDE, price, size)
        elif action == b"T":
            made.trade(time, at, -side, price, size)
        else:
            for each in (BID, ASK):
                now = {p[row]: s[row] for p, s in shown[each] if s[row] > NO_SIZE}
                made.view(time, at, each, now, depth)
    return made
