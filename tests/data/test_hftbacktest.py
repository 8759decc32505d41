"""Event arrays of hftbacktest: read, written, and read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.data.events import ASK, BID, CANCEL, HALT, HIDDEN, LIMIT, NO_ORDER, TRADE, Events
from mmrl.data.hftbacktest import ROW
from mmrl.data.hftbacktest_write import write
from mmrl.data.notes import DataError
from mmrl.data.recognise import read, recognised
from mmrl.data.table import Options
from tests.data.samples import BOOKS, COLUMNS, MESSAGES, MIDNIGHT_NS, lobster, real, rows_of, same

EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
BOTH, N = EXCH | LOCAL, NO_ORDER


def save(path: Path, *rows: tuple[Any, ...]) -> Path:
    """Rows of kind with flags, milliseconds, price, quantity, order, ival."""
    data = np.zeros(len(rows), ROW)
    for row, (ev, at, price, size, *more) in zip(data, rows, strict=True):
        row["ev"], row["exch_ts"], row["px"], row["qty"] = ev, MIDNIGHT_NS + at * 1_000_000, price, size
        row["order_id"], row["ival"] = (*more, 0, 0)[:2]
    np.savez(path, data=data)
    return path


def test_the_layout_is_that_of_hftbacktest() -> None:
    assert ROW.itemsize == 64
    offsets = {name: at[1] for name, at in (ROW.fields or {}).items()}
    names = ("ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval")
    assert offsets == {name: 8 * k for k, name in enumerate(names)}


def test_levels(tmp_path: Path) -> None:
    path = save(
        tmp_path / "x.npz",
        (BOTH | 4 | BUY, 0, 99.5, 2),
        (BOTH | 4 | SELL, 0, 100.0, 4),
        (BOTH | 1 | BUY, 1, 99.5, 3),
        (LOCAL | 1 | BUY, 1, 90.0, 3),
        (BOTH | 2 | BUY, 2, 100.0, 4),
        (BOTH | 1 | SELL, 3, 100.0, 1),
        (BOTH | 3 | BUY, 4, 99.5, 0),
        (BOTH | 1 | SELL, 5, 100.0, 0),
    )
    found = read([path])
    assert recognised(path) == "hftbacktest"
    assert rows_of(found) == [
        (LIMIT, BID, 199, 1, N, 199, 2, 200, 4),
        (TRADE, ASK, 200, 4, N, 199, 3, 200, 4),
        (LIMIT, ASK, 200, 1, N, 199, 3, 200, 4),
        (CANCEL, ASK, 200, 1, N, 0, 0, 200, 1),
    ]
    assert found.notes["rows for the local side only, left out"] == found.notes["clearings of the book"] == 1


def test_orders(tmp_path: Path) -> None:
    path = save(
        tmp_path / "x.npz",
        (BOTH | 10 | SELL, 0, 100.0, 4, 1),
        (BOTH | 10 | BUY, 0, 99.5, 4, 2),
        (BOTH | 2 | BUY, 1, 100.0, 3, 9),
        (BOTH | 13 | SELL, 1, 100.0, 3, 1),
        (BOTH | 12 | SELL, 1, 100.0, 1, 1),
        (BOTH | 11 | BUY, 2, 99.5, 4, 2),
    )
    assert rows_of(read([path])) == [
        (LIMIT, ASK, 200, 4, 1, 0, 0, 0, 0),
        (LIMIT, BID, 199, 4, 2, 0, 0, 200, 4),
        (TRADE, ASK, 200, 3, 1, 199, 4, 200, 4),
        (CANCEL, BID, 199, 4, 2, 199, 4, 200, 1),
    ]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    good = (BOTH | 1 | BUY, 1, 99.5, 3)
    for row, complaint in (
        ((BOTH | 7, 1, 99.5, 3), r"x\.npz, line 2: unknown event 7"),
        ((BOTH | 1 | BUY, 1, np.nan, 3), "line 2: price or quantity is no number"),
        ((BOTH | 1, 1, 99.5, 3), "line 2: a change of the book without a side"),
        ((BOTH | 1 | BUY, 86_400_000, 99.0, 3), "line 2: more than one day"),
    ):
        with pytest.raises(DataError, match=complaint):
            read([save(path, good, row)])
    with pytest.raises(DataError, match="no row with the flag EXCH"):
        read([save(path, (LOCAL | 1 | BUY, 1, 99.5, 3))])
    with pytest.raises(DataError, match="the array is empty"):
        read([save(path)])
    with pytest.raises(DataError, match="line 1: price is no multiple"):
        read([save(path, good)], options=Options(tick=1.0))
    np.savez(path, data=np.zeros((3, 6)))
    with pytest.raises(DataError, match="no event array of hftbacktest 2: it lacks ev, exch_ts"):
        read([path])
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DataError, match=r"no \.npz file|damaged zip archive"):
        read([path])


def by_hand(numbered: bool) -> Events:
    """A book of which the first order was there before, with every kind of event."""
    rows = [
        (1, LIMIT, ASK, 201, 5, 7, 199, 3, 200, 2),
        (2, TRADE, ASK, 200, 2, 8, 199, 3, 200, 2),
        (2, TRADE, ASK, 201, 1, 7, 199, 3, 201, 5),
        (3, HIDDEN, BID, 200, 4, N, 199, 3, 201, 4),
        (4, HALT, 0, -1, 0, N, 199, 3, 201, 4),
        (5, CANCEL, ASK, 201, 3, 7, 199, 3, 201, 4),
        (6, LIMIT, BID, 200, 1, 9, 199, 3, 201, 1),
        (7, CANCEL, BID, 200, 1, 9, 200, 1, 201, 1),
        (8, CANCEL, BID, 199, 2, 6, 199, 3, 201, 1),
    ]
    return rows_to_events(rows, numbered)


def rows_to_events(rows: Sequence[tuple[int, ...]], numbered: bool = True) -> Events:
    columns: dict[str, Any] = dict(zip(COLUMNS, map(np.array, zip(*rows, strict=True)), strict=True))
    columns |= {name: columns[name].astype(np.int8) for name in ("kind", "side")}
    if not numbered:
        columns["order"] = np.full(len(rows), N)
    return Events(**columns, tick=0.5, lot=0.001, date="2024-01-02", sources=())


@pytest.mark.parametrize("numbered", [True, False])
def test_what_is_written_reads_back(tmp_path: Path, numbered: bool) -> None:
    events, path = by_hand(numbered), tmp_path / "x.npz"
    write(events, path, latency_ns=5)
    same(events, read([path], options=Options(tick=0.5, lot=0.001)))
    data = np.load(path)["data"]
    kinds = set((data["ev"] & 0xFF).tolist())
    assert kinds == ({2, 10, 11, 12, 13, 101} if numbered else {1, 2, 4, 101})
    assert (data["local_ts"] - data["exch_ts"] == 5).all() and data["exch_ts"][0] == MIDNIGHT_NS + 1
    trades = data[(data["ev"] & 0xFF) == 2]
    assert (trades["ev"] & BUY > 0).tolist() == [True, True, False]  # the initiator's side
    assert trades["px"].tolist() == [100.0, 100.5, 100.0] and trades["qty"].tolist() == [0.002, 0.001, 0.004]
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npz"]


def test_a_lobster_day_goes_through(tmp_path: Path) -> None:
    events = read(lobster(tmp_path, MESSAGES, BOOKS))
    write(events, tmp_path / "x.npz")
    same(events, read([tmp_path / "x.npz"], options=Options(tick=0.01, lot=1)))


def test_an_order_before_the_best_price_of_its_row_is_written_all_the_same(tmp_path: Path) -> None:
    """A row of the book that is crossed, or told too late, leaves no room for the order that is then cancelled."""
    rows = [
        (1, LIMIT, BID, 199, 5, 7, 198, 3, 202, 2),
        (2, LIMIT, BID, 200, 4, 8, 199, 5, 202, 2),
        (3, CANCEL, BID, 200, 4, 8, 199, 5, 202, 2),
        (4, CANCEL, BID, 199, 5, 7, 199, 5, 202, 2),
    ]
    events = rows_to_events(rows)
    write(events, tmp_path / "x.npz")
    found = read([tmp_path / "x.npz"], options=Options(tick=0.5, lot=0.001))
    for name in ("time_ns", "kind", "side", "price", "size", "order"):
        assert (getattr(found, name) == getattr(events, name)).all(), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "lobster_amzn_l1/AMZN_2012-06-21_34200000_57600000_message_1.csv",
        "databento_es_mbo/esh4-glbx-mdp3-20231225.mbo.dbn.zst",
        "bitstamp_l3/orders.csv.xz",
    ],
)
def test_real_days_go_through(tmp_path: Path, name: str) -> None:
    events = read([real(name)])
    write(events, tmp_path / "x.npz")
    same(events, read([tmp_path / "x.npz"], options=Options(tick=events.tick, lot=events.lot)))
