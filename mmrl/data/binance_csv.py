"""Binance's public daily tables: aggregated trades and best prices. https://github.com/binance/binance-public-data

aggTrades: number, price, quantity, first and last trade, time, whether the buyer rested [, best match].
bookTicker: number, best bid price and quantity, best ask price and quantity, time, time of sending.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmrl.data.csv import DECIMAL, TEXT, WHOLE, Block, Layout, typed
from mmrl.data.events import ASK, BID, Events
from mmrl.data.files import everything, source_of
from mmrl.data.levels import Changes
from mmrl.data.notes import BACKWARDS, Notes, refuse
from mmrl.data.table import Options, columns_of, finished, one_day
from mmrl.data.units import decimal, inferred, units_of

TRADES, QUOTES = "aggTrades", "bookTicker"
TRADE_COLUMNS = {"number": WHOLE, "price": DECIMAL, "quantity": DECIMAL, "first": WHOLE, "last": WHOLE, "time": WHOLE,
                 "buyer rested": TEXT, "best match": TEXT}  # fmt: skip
QUOTE_COLUMNS = {"number": WHOLE, "bid price": DECIMAL, "bid quantity": DECIMAL, "ask price": DECIMAL,
                 "ask quantity": DECIMAL, "time": WHOLE, "sent": WHOLE}  # fmt: skip
PRICES, SIZES = ("price", "bid price", "ask price"), ("quantity", "bid quantity", "ask quantity")


def looks_like(text: str) -> str:
    """Whether the first line of a file belongs to aggTrades or bookTicker; "" where to neither."""
    fields = text.strip().lower().split(",")
    if fields[0] in ("agg_trade_id", "a") or (len(fields) in (7, 8) and fields[6] in ("true", "false")):
        return TRADES
    return QUOTES if fields[0] == "update_id" else ""


def read(paths: Sequence[Path], options: Options) -> Events:
    """One day of one symbol, from a table of trades, of best prices, or both.

    Without best prices those of the events do not exist; without trades executions look like cancellations. Within one
    time stamp trades come before best prices. DataError for tables that do not fit, and more than one of a kind.
    """
    tables: dict[str, Block] = {}
    notes = Notes(paths[0])
    for path in paths:
        kind, block = _table(path, notes)
        if kind in tables:
            raise refuse(path, None, f"a second table of {kind}: one day of one symbol at a time")
        tables[kind] = block
    steps = {}
    for what, names, given in (("tick", PRICES, options.tick), ("lot", SIZES, options.lot)):
        columns = [(table, name) for table in tables.values() for name in names if name in table]
        whole, scale = decimal([table[name] for table, name in columns])
        step = inferred(np.concatenate(whole)) if given is None else units_of(given, scale, what)
        for (table, name), values in zip(columns, whole, strict=True):
            if (values % step).any():
                raise refuse(
                    paths[0], int(table["line"][(values % step != 0).argmax()]), f"{name} is no multiple of {what}"
                )
            table[name] = values // step
        steps[what] = step / scale
    made = _merged(tables.get(TRADES), tables.get(QUOTES), notes)
    if not made.rows:
        raise refuse(paths[0], None, "no event in the file")
    columns_, date = one_day(paths[0], columns_of(made.rows), options.date, notes)
    sources = tuple(source_of(path, "binance-csv") for path in paths)
    return finished(columns_, steps["tick"], steps["lot"], date, sources, notes)


def _table(path: Path, notes: Notes) -> tuple[str, Block]:
    first = everything(path, None, 1 << 12).split(b"\n")[0].decode(errors="replace")
    kind = looks_like(first)
    if not kind:
        raise refuse(path, 1, f"neither aggTrades nor bookTicker: {first[:60]!r}")
    names = TRADE_COLUMNS if kind == TRADES else QUOTE_COLUMNS
    names = dict(list(names.items())[: len(first.split(","))])
    wanted = [name for name in names if name in (*PRICES, *SIZES, "time", "buyer rested")]
    blocks = list(typed(path, None, Layout(names, wanted), notes, header=first[0].isalpha()))
    if not blocks:
        raise refuse(path, None, "no row in the table")
    table = {name: np.concatenate([np.asarray(block[name]) for block in blocks]) for name in blocks[0]}
    if kind == TRADES:
        told = np.char.lower(table["buyer rested"].astype(str))
        wrong = ~np.isin(told, ["true", "false"])
        if wrong.any():
            raise refuse(path, int(table["line"][wrong.argmax()]), "whether the buyer rested is neither true nor false")
        table["side"] = np.where(told == "true", BID, ASK)
    back = table["time"] < np.maximum.accumulate(table["time"])
    for line in table["line"][back]:
        notes.add(BACKWARDS, int(line), name=path.name)
    table["time"] = _nanoseconds(np.maximum.accumulate(table["time"]))
    return kind, table


def _nanoseconds(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times since 1970 in milliseconds, microseconds or nanoseconds as nanoseconds."""
    factor = 1
    while time[0] * factor < 10**17:
        factor *= 1_000
    return time * factor


def _merged(trades: Block | None, quotes: Block | None, notes: Notes) -> Changes:
    made = Changes(notes)
    times = [table["time"] if table is not None else np.zeros(0, np.int64) for table in (trades, quotes)]
    order = np.lexsort([np.repeat([0, 1], [len(times[0]), len(times[1])]), np.concatenate(times)])
    told = [
        [table[name].tolist() for name in names] if table is not None else []
        for table, names in (
            (trades, ("time", "line", "side", "price", "quantity")),
            (quotes, ("time", "line", "bid price", "bid quantity", "ask price", "ask quantity")),
        )
    ]
    for k in order.tolist():
        if k < len(times[0]):
            made.trade(*(column[k] for column in told[0]))
        else:
            time, line, *levels = (column[k - len(times[0])] for column in told[1])
            for side, price, size in ((BID, *levels[:2]), (ASK, *levels[2:])):
                made.view(time, line, side, {price: size} if size else {}, 1)
    return made
