"""Binance: recorded streams and daily tables."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mmrl.data.events import ASK, BID, CANCEL, LIMIT, NO_ORDER, TRADE
from mmrl.data.notes import AGREE, BACKWARDS, COMPARED, MIRRORED, OPENING, TRUNCATED, DataError
from mmrl.data.recognise import read, recognised
from mmrl.data.table import Options
from tests.data.samples import MIDNIGHT_NS, NS, real, rows_of, same, stream

N = NO_ORDER
SNAPSHOT = json.dumps(
    {"lastUpdateId": 10, "T": MIDNIGHT_NS // 1_000_000, "bids": [["99.5", "1.5"]], "asks": [["100.0", "2.0"]]}
)
LINES = [
    stream("depthUpdate", T=0, U=8, u=9, pu=7, b=[["99.0", "7.0"]], a=[]),
    f"{MIDNIGHT_NS + 5} {SNAPSHOT}",
    stream("depthUpdate", T=10, U=10, u=12, pu=9, b=[["99.5", "2.0"]], a=[["100.5", "1.0"]]),
    stream("trade", T=20, p="100.0", q="2.0", m=False, X="MARKET"),
    stream("depthUpdate", T=25, U=13, u=15, pu=12, b=[], a=[["100.0", "0"]]),
    stream("trade", T=22, p="99.5", q="0.5", m=True, X="MARKET"),
    stream("trade", T=23, p="0", q="0", m=True, X="NA"),
    stream("depthUpdate", T=40, U=19, u=20, pu=18, b=[["99.5", "1.0"]], a=[]),
]
EXPECTED = [
    (LIMIT, BID, 199, 1, N, 199, 3, 200, 4),
    (LIMIT, ASK, 201, 2, N, 199, 4, 200, 4),
    (TRADE, ASK, 200, 4, N, 199, 4, 200, 4),
    (TRADE, BID, 199, 1, N, 199, 4, 200, 4),
    (CANCEL, BID, 199, 1, N, 199, 4, 201, 2),
]


def write(path: Path, rows: list[str], end: str = "\n") -> Path:
    path.write_text("\n".join(rows) + end)
    return path


def test_streams_are_rebuilt_into_the_book(tmp_path: Path) -> None:
    found = read([write(tmp_path / "x.log", LINES)])
    assert rows_of(found) == EXPECTED
    assert (found.tick, found.lot, found.date) == (0.5, 0.5, "2024-01-02")
    assert (found.time_ns // 1_000_000).tolist() == [10, 10, 20, 22, 40]
    assert found.notes == {
        "lines after later ones, put in the order of time": 1,
        "trades outside the book (NA), left out": 1,
        "changes from before the snapshot, left out": 1,
        OPENING: 2,
        "gaps in the numbers of the changes": 1,
    }
    assert found.places["gaps in the numbers of the changes"] == ("x.log:8",)
    packed = tmp_path / "x.gz"
    packed.write_bytes(gzip.compress((tmp_path / "x.log").read_bytes()))
    same(found, read([packed]))


def test_best_prices_are_those_of_their_stream_and_are_compared(tmp_path: Path) -> None:
    quotes = [
        stream("bookTicker", T=9, u=12, b="99.5", B="2.0", a="100.0", A="2.0"),
        stream("bookTicker", T=26, u=14, b="99.5", B="2.0", a="101.0", A="3.0"),
    ]
    found = read([write(tmp_path / "x.log", [*LINES[:3], quotes[0], *LINES[3:5], quotes[1], *LINES[5:]])])
    assert [row[5:] for row in rows_of(found)] == [*4 * [(199, 4, 200, 4)], (199, 4, 202, 6)]
    assert (found.notes[COMPARED], found.notes[AGREE]) == (3, 1)


def test_streams_without_depth_or_snapshot(tmp_path: Path) -> None:
    found = read([write(tmp_path / "x.log", [LINES[2], LINES[4], LINES[7]])])
    assert [row[:4] for row in rows_of(found)] == [(CANCEL, BID, 199, 1)]  # lots of 1; what is seen first is no order
    quotes = [
        stream("bookTicker", T=1, u=12, b="99.5", B="2.0", a="100.0", A="2.0"),
        stream("trade", T=2, p="99.5", q="2.0", m=True, X="MARKET"),
        stream("bookTicker", T=2, u=13, b="99.0", B="3.0", a="100.0", A="2.5"),
    ]
    found = read([write(tmp_path / "x.log", quotes)])
    assert rows_of(found) == [(TRADE, BID, 199, 4, N, 199, 4, 200, 4), (LIMIT, ASK, 200, 1, N, 198, 6, 200, 4)]


def test_faults_of_streams(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    whole = read([write(path, LINES)])
    found = read([write(path, [*LINES, LINES[-1][:60]], end="")])
    assert rows_of(found) == rows_of(whole) and found.places[TRUNCATED] == ("x.log:9",)
    with pytest.raises(DataError, match=r"x\.log, line 2: no message of a stream"):
        read([write(path, [LINES[0], LINES[1][:60], *LINES[2:]])])
    with pytest.raises(DataError, match="line 9: a second symbol, Y after X: choose one with symbol="):
        read([write(path, [*LINES, LINES[-1].replace('"s": "X"', '"s": "Y"')])])
    with pytest.raises(DataError, match="line 9: more than one day"):
        read([write(path, [*LINES, stream("trade", T=86_400_000, p="99.5", q="0.5", m=True)])])
    with pytest.raises(DataError, match="the file is empty"):
        read([write(path, [], end="")])
    with pytest.raises(DataError, match="no event in the file"):
        read([write(path, [LINES[1]])])
    with pytest.raises(DataError, match=r"line 2: 99\.5 x 1\.5 is no multiple of tick and lot"):
        read([write(path, LINES)], options=Options(tick=1.0))


TRADES = ["1,100.0,0.5,1,1,1704153600002,false", "2,99.5,1.5,2,3,1704153600004,true"]
QUOTES = ["1,99.5,2.0,100.0,1.0,1704153600001,1704153600001", "2,99.5,2.0,100.0,0.5,1704153600002,1704153600003"]
TRADE_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
QUOTE_HEADER = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time"


def test_daily_tables_join(tmp_path: Path) -> None:
    trades = write(tmp_path / "X-aggTrades-2024-01-02.csv", [TRADE_HEADER, *TRADES])
    quotes = write(tmp_path / "X-bookTicker-2024-01-02.csv", [QUOTE_HEADER, *QUOTES])
    found = read([trades, quotes])
    assert rows_of(found) == [
        (TRADE, ASK, 200, 1, N, 199, 4, 200, 2),
        (TRADE, BID, 199, 3, N, 199, 4, 200, 1),
    ]
    assert (found.tick, found.lot, found.date) == (0.5, 0.5, "2024-01-02")
    packed = tmp_path / "X.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(trades, trades.name)
    same(found, read([quotes, packed]))
    alone = read([packed])
    assert [row[:4] for row in rows_of(alone)] == [row[:4] for row in rows_of(found)]
    assert not alone.bid_size.any() and not alone.ask_size.any()
    assert [row[:4] for row in rows_of(read([quotes]))] == [(CANCEL, ASK, 200, 1)]


def test_tables_of_spot_have_no_header_and_count_microseconds(tmp_path: Path) -> None:
    rows = [f"{row.replace('1704153600', '1704153600000')},True" for row in TRADES]
    found = read([write(tmp_path / "x.csv", rows)])
    assert (found.time_ns // 1000).tolist() == [2, 4]


def test_faults_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with pytest.raises(DataError, match=r"x\.csv, line 3: 6 columns instead of 7"):
        read([write(path, [TRADE_HEADER, TRADES[0], "2,99.5,1.5,2,3,1704153600004", TRADES[1]])])
    with pytest.raises(DataError, match="line 3: whether the buyer rested is neither"):
        read([write(path, [TRADE_HEADER, TRADES[0], TRADES[1].replace("true", "maybe")])])
    with pytest.raises(DataError, match="no row in the table"):
        read([write(path, [TRADE_HEADER])])
    with pytest.raises(DataError, match="a second table of aggTrades"):
        read([write(path, TRADES), path])
    with pytest.raises(DataError, match="line 2: price is no multiple of tick"):
        read([write(path, TRADES)], options=Options(tick=1.0))
    found = read([write(path, TRADES[::-1])])
    assert found.notes[BACKWARDS] == 1 and found.places[BACKWARDS] == ("x.csv:2",)


@pytest.mark.slow
def test_binance_futures() -> None:
    path = real("binance_usdm_btc/usdm_btcusdt_20240808.gz")
    assert recognised(path) == "binance"
    with pytest.raises(DataError, match="more than one day in one file"):
        read([path])
    found = read([path], options=Options(date="2024-08-08"))
    assert (found.tick, found.lot) == (0.1, 0.001)
    assert found.notes[COMPARED] == found.notes[AGREE] == 6_547
    assert (found.kind == TRADE).sum() == 21_313 and np.ptp(found.time_ns) < 346 * NS
    assert MIRRORED not in found.notes
