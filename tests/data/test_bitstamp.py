"""Bitstamp's orders: which of a trade's two orders rested, and what does not fit."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.data.bitstamp import HEADER
from mmrl.data.events import ASK, BID, CANCEL, LIMIT, TRADE
from mmrl.data.notes import AGREE, COMPARED, MIRRORED, OPENING, TRUNCATED, DataError
from mmrl.data.recognise import read
from tests.data.samples import MIDNIGHT_NS, real, rows_of, same

START = MIDNIGHT_NS // 1_000_000
Told = tuple[int, str, int, int, float, float]
ORDERS: list[Told] = [
    (0, "created", 2, 1, 100.0, 0.5),
    (5, "created", 3, 1, 100.25, 2.0),
    (10, "created", 4, 0, 100.0, 0.75),  # takes order 2, then rests with what is left
    (120, "deleted", 2, 1, 100.0, 0.0),
    (122, "changed", 4, 0, 100.0, 0.25),
    (200, "deleted", 1, 0, 99.75, 1.5),  # was there before the file begins
    (300, "created", 5, 1, 100.0, 0.25),  # a market order that order 4 meets
    (410, "deleted", 5, 1, 100.0, 0.0),
    (411, "deleted", 4, 0, 100.0, 0.0),
    (500, "deleted", 3, 1, 100.25, 2.0),
]
EXPECTED = [
    (LIMIT, ASK, 400, 2, 2, 399, 6, 0, 0),
    (LIMIT, ASK, 401, 8, 3, 399, 6, 400, 2),
    (TRADE, ASK, 400, 2, 2, 399, 6, 400, 2),
    (LIMIT, BID, 400, 1, 4, 399, 6, 401, 8),
    (CANCEL, BID, 399, 6, 1, 400, 1, 401, 8),
    (TRADE, BID, 400, 1, 4, 400, 1, 401, 8),
    (CANCEL, ASK, 401, 8, 3, 0, 0, 401, 8),
]


def logged(time: int, kind: str, **data: Any) -> str:
    return f"{START + time} {kind} {json.dumps(data)}"


def order_line(told: Told) -> str:
    time, action, order, kind, price, amount = told
    return logged(time, f"order_{action}", price=str(price), amount=f"{amount:.8f}", id=order, order_type=kind)


def order_row(told: Told) -> str:
    time, action, order, kind, price, amount = told
    return f"{order},{START + time},0,{price},{round(amount * 1e8)},{action},{('bid', 'ask')[kind]}"


def test_the_older_order_of_a_trade_rested(tmp_path: Path) -> None:
    lines = [order_line(told) for told in ORDERS]
    lines.insert(5, logged(130, "trade", price=100.0, amount=0.5, id=1))
    lines.insert(6, logged(140, "order_book", bids=[["100.0", "0.25"]], asks=[["100.25", "2.0"]]))
    lines.append(logged(600, "order_book", bids=[["99.0", "1"]], asks=[["100.25", "2.0"]]))
    path = tmp_path / "x.log.xz"
    path.write_bytes(lzma.compress("\n".join([*lines, ""]).encode()))
    found = read([path])
    assert rows_of(found) == EXPECTED
    assert (found.tick, found.lot, found.date) == (0.25, 0.25, "2024-01-02")
    assert (found.notes[COMPARED], found.notes[AGREE], found.notes[OPENING], found.notes[MIRRORED]) == (2, 1, 1, 1)
    assert found.notes["messages of incoming orders before they rest"] == 4
    table = tmp_path / "orders.csv"
    table.write_text("\n".join([HEADER, *map(order_row, ORDERS), ""]))
    same(found, read([table]))


def test_faults(tmp_path: Path) -> None:
    path, rows = tmp_path / "orders.csv", [HEADER, *map(order_row, ORDERS)]
    path.write_text("\n".join(rows)[:-9])
    found = read([path])
    assert rows_of(found) == EXPECTED[:-1] and found.places[TRUNCATED] == ("orders.csv:11",)
    for wrong in (
        "1,2,3",
        rows[3].replace("bid", "up"),
        rows[3].replace("created", "made"),
        rows[3].replace("100", "x"),
    ):
        path.write_text("\n".join([*rows[:3], wrong, *rows[4:], ""]))
        with pytest.raises(DataError, match=r"orders\.csv, line 4: no message of Bitstamp"):
            read([path])
    path.write_text(HEADER + "\n")
    with pytest.raises(DataError, match="no order in the file"):
        read([path])
    path.write_text("\n".join([*rows, order_row((86_400_000, "created", 9, 0, 99.0, 1.0)), ""]))
    with pytest.raises(DataError, match="line 12: more than one day"):
        read([path])


def test_bitcoin() -> None:
    log = read([real("bitstamp_l3/2015-05-01.log.xz")])
    table = read([real("bitstamp_l3/orders.csv.xz")])
    assert len(log) == len(table) == 49_496 and (log.tick, log.lot) == (0.01, 1e-8)
    assert (log.notes[COMPARED], log.notes[AGREE]) == (5_011, 5_000)
    executed = log.size[log.kind == TRADE].sum() * log.lot
    assert executed == pytest.approx(847.657, rel=0.005)  # what its lines of trades add up to
    for name in ("time_ns", "kind", "side", "price", "order"):
        assert np.array_equal(getattr(log, name), getattr(table, name))
    assert np.abs(log.size - table.size).max() <= 2
