"""DBN records: the book rebuilt from orders and from levels, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate.market_orders import market_orders
from mmrl.data.events import ASK, BID, CANCEL, HIDDEN, LIMIT, NO_ORDER, TRADE
from mmrl.data.notes import CROSSED, MIRRORED, OPENING, TRUNCATED, DataError
from mmrl.data.recognise import read
from mmrl.data.table import Options
from tests.data.samples import MIDNIGHT_NS, NS, dbn, mbo, real, rows_of, same

SNAPSHOT = 32


def session() -> list[Any]:
    return [
        mbo("R", "N", 0, 0, 0, ts=-5),
        mbo("A", "B", 99.75, 5, 1, flags=SNAPSHOT, ts=-5),
        mbo("A", "A", 100.0, 4, 2),
        mbo("A", "A", 100.0, 3, 3),
        mbo("A", "A", 100.25, 9, 4),
        mbo("T", "B", 100.0, 5, 9, ts=2),  # eats order 2 and a part of order 3
        mbo("F", "A", 100.0, 4, 2, ts=2),
        mbo("F", "A", 100.0, 1, 3, ts=2),
        mbo("C", "A", 100.0, 4, 2, ts=2),
        mbo("M", "A", 100.0, 2, 3, ts=2),
        mbo("C", "B", 99.75, 2, 1, ts=3),
        mbo("M", "A", 100.0, 1, 3, ts=4),
        mbo("M", "A", 100.5, 1, 3, ts=5),
        mbo("T", "A", 99.75, 7, 0, ts=6),  # nobody saw whom it met
        mbo("C", "A", 100.25, 9, 77, ts=7),
    ]


EXPECTED = [
    (LIMIT, ASK, 400, 4, 2, 399, 5, 0, 0),
    (LIMIT, ASK, 400, 3, 3, 399, 5, 400, 4),
    (LIMIT, ASK, 401, 9, 4, 399, 5, 400, 7),
    (TRADE, ASK, 400, 4, 2, 399, 5, 400, 7),
    (TRADE, ASK, 400, 1, 3, 399, 5, 400, 3),
    (CANCEL, BID, 399, 2, 1, 399, 5, 400, 2),
    (CANCEL, ASK, 400, 1, 3, 399, 3, 400, 2),
    (CANCEL, ASK, 400, 1, 3, 399, 3, 400, 1),
    (LIMIT, ASK, 402, 1, 3, 399, 3, 401, 9),
    (HIDDEN, BID, 399, 7, NO_ORDER, 399, 3, 401, 9),
]


def test_orders_are_rebuilt_into_the_book(tmp_path: Path) -> None:
    found = read([dbn(tmp_path / "x.dbn", "mbo", session())])
    assert rows_of(found) == EXPECTED
    assert (found.tick, found.lot, found.date) == (0.25, 1, "2024-01-02")
    assert found.time_ns.tolist() == [s * NS for s in (1, 1, 1, 2, 2, 3, 4, 5, 5, 6)]
    assert found.notes == {
        "clearings of the book": 1,
        OPENING: 1,
        MIRRORED: 3,  # the trade of the two fills, and the two removals
        "orders moved or enlarged, read as cancelled and sent anew": 1,
        "executions of hidden orders": 1,
        "removals of orders that the book does not hold": 1,
    }
    assert found.places["removals of orders that the book does not hold"] == ("x.dbn:15",)
    assert market_orders(found).size.tolist() == [5]


def test_icebergs_auctions_and_fills_of_the_aggressor(tmp_path: Path) -> None:
    records = [
        mbo("A", "A", 100.0, 1, 1),
        mbo("A", "B", 99.0, 2, 2),
        mbo("T", "B", 100.0, 1, 2, ts=2),
        mbo("F", "B", 100.0, 1, 2, ts=2),  # the incoming order itself, which rested at another price before
        mbo("F", "A", 100.0, 1, 1, ts=2),
        mbo("C", "B", 99.0, 2, 2, ts=2),
        mbo("M", "A", 100.0, 1, 1, ts=2),  # the next part of an iceberg
        mbo("T", "N", 100.0, 1, 0, ts=3),
        mbo("F", "N", 100.0, 1, 1, ts=3),
        mbo("C", "A", 100.0, 1, 1, ts=3),
    ]
    found = read([dbn(tmp_path / "x.dbn", "mbo", records)])
    assert [row[:4] for row in rows_of(found)[2:]] == [
        (TRADE, ASK, 100, 1),
        (CANCEL, BID, 99, 2),
        (LIMIT, ASK, 100, 1),
        (HIDDEN, 0, 100, 1),
    ]
    assert found.notes["fills of the incoming order itself"] == found.notes["fills within an auction"] == 1
    assert found.notes["orders shown anew after their shown part was executed (icebergs)"] == 1


def test_compression_and_a_truncated_last_record(tmp_path: Path) -> None:
    whole = read([dbn(tmp_path / "x.dbn", "mbo", session())])
    data = (tmp_path / "x.dbn").read_bytes()
    packed = tmp_path / "x.dbn.zst"
    packed.write_bytes(pytest.importorskip("zstandard").compress(data))
    same(whole, read([packed]))
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"damaged or cut archive|no DBN"):
        read([packed], "databento")
    (tmp_path / "x.dbn").write_bytes(data[:-10])
    found = read([tmp_path / "x.dbn"])
    assert rows_of(found) == EXPECTED and found.notes[TRUNCATED] == 1
    assert found.places[TRUNCATED] == ("x.dbn:15",)


def test_several_instruments_and_days_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    other = [mbo("A", "B", 50.0, 1, 5, instrument_id=2), mbo("A", "B", 51.0, 1, 6, ts=86_401)]
    path = dbn(tmp_path / "x.dbn", "mbo", [*session(), *other])
    with pytest.raises(DataError, match="holds 2 instruments: choose one with symbol= 1, 2"):
        read([path])
    with pytest.raises(DataError, match="holds no Y: it holds 1, 2"):
        read([path], options=Options(symbol="Y"))
    with pytest.raises(DataError, match=r"line 17: more than one day .*2024-01-02 to 2024-01-03.*date=YYYY-MM-DD"):
        read([path], options=Options(symbol="1"))
    with pytest.raises(DataError, match="holds no event of 2024-02-02: it holds 2024-01-02, 2024-01-03"):
        read([path], options=Options(symbol="1", date="2024-02-02"))
    found = read([path], options=Options(symbol="1", date="2024-01-02"))
    assert rows_of(found) == EXPECTED
    assert found.notes["records of other instruments, left out"] == found.notes["events of other days, left out"] == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"DBN\x03\xff\xff\x00\x00short", "damaged DBN header"),
        (b"DBX and so on", "no DBN file"),
    ],
)
def test_what_is_no_dbn_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "x.dbn"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        read([path], "databento")
    with pytest.raises(DataError, match="schema trades is not read: fetch mbo, mbp-1, mbp-10"):
        read([dbn(path, "trades", [])])
    with pytest.raises(DataError, match="no record in the file"):
        read([dbn(path, "mbo", [])])
    with pytest.raises(DataError, match=r"line 3: the price is no multiple of tick = 0\.5"):
        read([dbn(path, "mbo", [*session()[2:4], mbo("A", "A", 100.25, 1, 8)])], options=Options(tick=0.5))


def mbp(schema: str, action: str, side: str, price: float, size: int, bids: Any, asks: Any, ts: float) -> Any:
    library = pytest.importorskip("databento_dbn")
    depth = 1 if schema == "mbp-1" else 10
    pairs = []
    for level in range(depth):
        told: dict[str, int] = {}
        for name, levels in (("bid", bids), ("ask", asks)):
            if level < len(levels):
                told |= {f"{name}_px": round(levels[level][0] * 1e9), f"{name}_sz": levels[level][1]}
        pairs.append(library.BidAskPair(**told))
    maker = library.MBP1Msg if schema == "mbp-1" else library.MBP10Msg
    at = MIDNIGHT_NS + round(ts * NS)
    return maker(
        publisher_id=1, instrument_id=1, ts_event=at, ts_recv=at, price=round(price * 1e9), size=size, depth=0,
        action={a.value: a for a in library.Action.variants()}[action],
        side={s.value: s for s in library.Side.variants()}[side],
        levels=pairs[0] if schema == "mbp-1" else pairs,
    )  # fmt: skip


def by_price(schema: str) -> list[Any]:
    one, two = [(99.0, 5), (98.0, 2)], [(100.0, 4), (101.0, 8)]
    return [
        mbp(schema, "A", "B", 99.0, 5, one, two, 1),
        mbp(schema, "A", "A", 100.0, 3, one, [(100.0, 7), (101.0, 8)], 2),
        mbp(schema, "T", "B", 100.0, 7, one, [(100.0, 7), (101.0, 8)], 3),
        mbp(schema, "C", "A", 100.0, 7, one, [(101.0, 8)], 3),
        mbp(schema, "C", "B", 99.0, 5, [(98.0, 2)], [(101.0, 8)], 4),
        mbp(schema, "A", "B", 99.0, 1, [(99.0, 1), (98.0, 2)], [(101.0, 8)], 5),
        mbp(schema, "C", "B", 99.0, 1, [(98.0, 2)], [(101.0, 6)], 6),
    ]


@pytest.mark.parametrize("schema", ["mbp-1", "mbp-10"])
def test_levels_become_events(tmp_path: Path, schema: str) -> None:
    found = read([dbn(tmp_path / "x.dbn", schema, by_price(schema))])
    assert rows_of(found) == [
        (LIMIT, ASK, 100, 3, NO_ORDER, 99, 5, 100, 4),
        (TRADE, ASK, 100, 7, NO_ORDER, 99, 5, 100, 7),
        (CANCEL, BID, 99, 5, NO_ORDER, 99, 5, 101, 8),
        (LIMIT, BID, 99, 1, NO_ORDER, 98, 2, 101, 8),
        (CANCEL, BID, 99, 1, NO_ORDER, 99, 1, 101, 8),
        (CANCEL, ASK, 101, 2, NO_ORDER, 98, 2, 101, 8),
    ]


def test_es() -> None:
    pytest.importorskip("databento_dbn")
    found = read([real("databento_es_mbo/esh4-glbx-mdp3-20231225.mbo.dbn.zst")])
    assert (found.tick, found.date, found.notes[OPENING]) == (0.25, "2023-12-25", 8_725)
    executed = found.size[found.kind == TRADE].sum()
    assert executed == 9_848 and found.size[found.kind == HIDDEN].tolist() == [44]  # 9 892 contracts in all trades
    assert not any("does not hold" in reason for reason in found.notes)
    lasts = np.diff(found.time_ns, append=found.time_ns[-1])
    trading = (found.time_ns > 23 * 3600 * NS) & (found.bid_size > 0) & (found.ask_size > 0)
    one_tick = found.ask_price - found.bid_price == 1
    share = lasts[trading & one_tick].sum() / lasts[trading].sum()
    assert share == pytest.approx(0.94, abs=0.005)
    assert (found.ask_price <= found.bid_price)[trading].sum() <= 14 < found.notes[CROSSED]  # before the opening


def test_a_partial_removal_that_repeats_a_fill_is_no_cancellation(tmp_path: Path) -> None:
    records = [
        mbo("A", "A", 100.0, 5, 1),
        mbo("T", "B", 100.0, 3, 9, ts=2),
        mbo("F", "A", 100.0, 3, 1, ts=2),
        mbo("C", "A", 100.0, 3, 1, ts=2),
        mbo("A", "B", 99.0, 1, 2, ts=3),
    ]
    found = read([dbn(tmp_path / "x.dbn", "mbo", records)])
    assert rows_of(found)[1:] == [(TRADE, ASK, 100, 3, 1, 0, 0, 100, 5), (LIMIT, BID, 99, 1, 2, 0, 0, 100, 2)]
