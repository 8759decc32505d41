"""LOBSTER files: what they mean, every fault, and tapes that `mmrl simulate` writes."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mmrl.calibrate.market_orders import market_orders
from mmrl.data.events import ASK, BID, CANCEL, HALT, HIDDEN, LIMIT, NO_ORDER, TRADE
from mmrl.data.notes import BACKWARDS, CROSSED, SILENCES, TRUNCATED, DataError
from mmrl.data.recognise import read
from mmrl.data.table import Options
from mmrl.settings.build import build
from mmrl.tape.lobster import OPENING, LobsterFiles
from mmrl.tape.stream import taped
from tests.data.samples import BOOKS, MESSAGES, lobster, real, rows_of, same

LEVEL2 = ["1000100,100,9999999999,0,1000200,5,-9999999999,0", *[f"{row},1000300,5,999900,5" for row in BOOKS[1:]]]


def test_rows_mean_what_the_format_says(tmp_path: Path) -> None:
    found = read(lobster(tmp_path))
    assert (found.tick, found.lot, found.date) == (0.01, 1.0, "2024-01-02")
    assert found.time_ns[:3].tolist() == [34_200_000_000_001, 34_200_500_000_000, 34_201_250_000_000]
    assert rows_of(found) == [
        (LIMIT, ASK, 10001, 100, 11, 0, 0, 0, 0),
        (LIMIT, BID, 10000, 50, 12, 0, 0, 10001, 100),
        (TRADE, ASK, 10001, 40, 11, 10000, 50, 10001, 100),
        (TRADE, ASK, 10001, 60, 11, 10000, 50, 10001, 60),
        (HIDDEN, BID, 10000, 10, NO_ORDER, 10000, 50, 0, 0),  # half a tick is rounded to the even one
        (CANCEL, BID, 10000, 50, 12, 10000, 50, 0, 0),
    ]
    assert found.notes["hidden executions between two ticks, price rounded"] == 1
    assert found.places["hidden executions between two ticks, price rounded"] == (
        "X_2024-01-02_34200000_57600000_message_1.csv:5",
    )
    orders = market_orders(found)
    assert (orders.row.tolist(), orders.size.tolist(), orders.side.tolist()) == ([2], [100], [ASK])
    assert [source.format for source in found.sources] == ["lobster", "lobster"]


def test_a_symbol_is_refused_where_a_file_has_one_instrument(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="symbol=X: a lobster file holds one instrument: drop it"):
        read(lobster(tmp_path), options=Options(symbol="X"))


def test_every_packing_reads_alike(tmp_path: Path) -> None:
    plain = lobster(tmp_path)
    packed = [path.with_name(path.name + ".gz") for path in plain]
    for path, target in zip(plain, packed, strict=True):
        target.write_bytes(gzip.compress(path.read_bytes()))
    both = tmp_path / "day 2024-01-02.zip"
    with zipfile.ZipFile(both, "w") as archive:
        for path in plain:
            archive.write(path, path.name)
    for paths in (plain[::-1], plain[:1], plain[1:], packed, [both]):
        same(read(plain), read(paths))


def test_any_number_of_levels(tmp_path: Path) -> None:
    same(read(lobster(tmp_path)), read(lobster(tmp_path, books=LEVEL2)))


def test_seven_zip_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "X_message_1.csv.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(40))
    with pytest.raises(DataError, match=r"7z x X_message_1\.csv\.7z"):
        read([path])


def changed(row: int, text: str, rows: list[str] = MESSAGES) -> list[str]:
    return [*rows[:row], text, *rows[row + 1 :]]


@pytest.mark.parametrize(
    ("messages", "books", "complaint"),
    [
        (changed(2, "34201.25,4,11,40,1000100"), BOOKS, r"message_1\.csv, line 3: 5 columns instead of 6"),
        (changed(2, "34201.25,4,11,40,1000100,-1,9"), BOOKS, "line 3: 7 columns instead of 6"),
        (changed(2, "34201.25,4,11,4x,1000100,-1"), BOOKS, "line 3: size is '4x'"),
        (changed(2, ""), BOOKS, "line 3: a blank line"),
        (changed(2, "34201.25,9,11,40,1000100,-1"), BOOKS, "line 3: type 9 is not 1 to 7"),
        (changed(2, "34201.25,4,11,40,1000100,0"), BOOKS, "line 3: direction 0 is neither 1 nor -1"),
        (changed(2, "34201.25,4,11,0,1000100,-1"), BOOKS, "line 3: size 0 is not positive"),
        (changed(2, "34201.25,4,11,40,-5,-1"), BOOKS, "line 3: price -5 is not positive"),
        (changed(2, "90000,4,11,40,1000100,-1"), BOOKS, "line 3: time 90000 is not within a day"),
        (changed(5, "30000,3,12,50,1000000,1"), BOOKS, "line 6: time 30000 .* a second day begins"),
        (MESSAGES[:-1], BOOKS, r"orderbook_1\.csv, line 6: no line of .*message_1\.csv belongs to it"),
        (MESSAGES, BOOKS[:-2], r"message_1\.csv, line 5: no line of .*orderbook_1\.csv belongs to it"),
        (MESSAGES, changed(3, "9999999999,0,1000000", BOOKS), r"orderbook_1\.csv, line 4: 3 columns instead of 4"),
        (MESSAGES, [f"{row},1" for row in BOOKS], r"orderbook_1\.csv, line 1: neither a message"),
    ],
)
def test_what_does_not_fit_is_refused_by_line(
    tmp_path: Path, messages: list[str], books: list[str], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        read(lobster(tmp_path, messages, books), "lobster")


def test_empty_files_and_missing_partners(tmp_path: Path) -> None:
    paths = lobster(tmp_path)
    paths[1].unlink()
    with pytest.raises(DataError, match="the orderbook file of the same day is missing"):
        read(paths[:1])
    paths[0].write_text("")
    with pytest.raises(DataError, match="the file is empty"):
        read(paths[:1])
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read([tmp_path / "absent.csv"])


def test_two_days_are_not_read_as_one(tmp_path: Path) -> None:
    day = lobster(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="here are 2 message and 2 orderbook files"):
        read([*day, *lobster(tmp_path / "other")])
    with pytest.raises(DataError, match="date=2024-01-03: the file name says 2024-01-02"):
        read(day, options=Options(date="2024-01-03"))


def test_truncated_last_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    whole = read(lobster(tmp_path))
    paths = lobster(tmp_path)
    paths[0].write_text("\n".join(MESSAGES)[:-8])
    found = read(paths)
    assert rows_of(found) == rows_of(whole)[:-1]
    assert found.notes[TRUNCATED] == found.notes["lines whose partner is truncated, left out"] == 1
    assert found.places[TRUNCATED] == (f"{paths[0].name}:6",)
    assert rows_of(read(lobster(tmp_path, end=""))) == rows_of(whole)
    assert read(lobster(tmp_path, end="")).notes["last lines without a line end, kept"] == 2


def test_times_crossed_books_halts_and_silences_are_counted(tmp_path: Path) -> None:
    messages = [*MESSAGES, "34202.9,1,13,5,1000000,1", "34600,7,0,0,-1,-1", "34700,7,0,0,1,-1"]
    found = read(
        lobster(tmp_path, messages, [*BOOKS[:1], "1000100,1,1000100,1", *BOOKS[2:], *3 * ["7,1,5,1"]]), "lobster"
    )
    assert found.notes[BACKWARDS] == found.notes[CROSSED] == found.notes[SILENCES] == 1
    assert found.places[BACKWARDS][0].endswith(":7") and found.places[CROSSED][0].endswith(":3")
    assert found.places[SILENCES][0].endswith(":8")
    assert found.time_ns[6] == 34_203_000_000_000 and (np.diff(found.time_ns) >= 0).all()
    assert found.notes["trading halts"] == found.notes["trading starts again"] == 1
    assert found.kind[7:].tolist() == [HALT, HALT] and found.price[7:].tolist() == [-1, 1]
    assert found.size[7:].tolist() == [0, 0]


def test_a_given_tick_and_lot(tmp_path: Path) -> None:
    found = read(lobster(tmp_path), options=Options(tick=0.0025, lot=10))
    assert (found.tick, found.lot) == (0.0025, 10) and found.price[0] == 40004 and found.size[0] == 10
    with pytest.raises(DataError, match="line 1: price 1000100 is no multiple of 200, the tick"):
        read(lobster(tmp_path), options=Options(tick=0.02))
    with pytest.raises(DataError, match="line 1: size 100 is no multiple of 7, the lot"):
        read(lobster(tmp_path), options=Options(lot=7))
    for options in (Options(tick=0), Options(tick=float("nan")), Options(lot=-1), Options(lot=0.5)):
        with pytest.raises(DataError, match="is not allowed: it must be a positive multiple"):
            read(lobster(tmp_path), options=options)


def test_blocks_of_text_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(lobster(tmp_path, MESSAGES, LEVEL2))
    for size in (70, 100, 150):
        monkeypatch.setattr("mmrl.data.files.BLOCK", size)
        same(whole, read(lobster(tmp_path, MESSAGES, LEVEL2)))
    with pytest.raises(DataError, match="line 5: 5 columns"):
        read(lobster(tmp_path, changed(4, "34202,5,0,10,1000050"), LEVEL2))


def test_a_simulated_tape_is_read_back(tmp_path: Path) -> None:
    config = build({"market": {"name": "order-flow"}})
    with LobsterFiles(str(tmp_path / "t"), 3, 0.01, "min") as files:
        pieces = list(taped(config, None, 5, 3, events=4000))
        for piece in pieces:
            files.write(piece)
    found = read(files.paths)
    (piece,) = pieces
    seconds = np.rint((OPENING + piece.time * 60) * 1e9)
    assert np.abs(found.time_ns - seconds).max() <= 1
    assert np.array_equal(found.side, piece.direction) and np.array_equal(found.price, piece.price)
    assert np.array_equal(found.size, piece.shares) and np.array_equal(found.order, piece.order)
    assert np.array_equal(found.kind, np.array([-1, LIMIT, CANCEL, CANCEL, TRADE])[piece.kind])
    there = piece.levels[:-1, 3] > 0
    assert np.array_equal(found.bid_size[1:], piece.levels[:-1, 3])
    assert np.array_equal(found.bid_price[1:][there], piece.levels[:-1, 2][there])
    assert np.array_equal(found.ask_size[1:], piece.levels[:-1, 1])
    assert found.notes == {} and found.tick == 0.01 and found.date == ""


def test_amazon() -> None:
    found = read([real("lobster_amzn_l1/AMZN_2012-06-21_34200000_57600000_message_1.csv")])
    assert len(found) == 57_515 and found.tick == 0.01 and found.date == "2012-06-21"
    assert np.bincount(found.kind).tolist() == [27_845, 18_251, 8_974, 2_445]
    orders = market_orders(found)
    assert len(orders) == 6_591 and orders.size.sum() == found.size[found.kind == TRADE].sum()
    assert (found.ask_price > found.bid_price)[1:].all() and CROSSED not in found.notes
