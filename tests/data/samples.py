"""Small files of every format, written by the tests themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.data.events import Events

COLUMNS = ("time_ns", "kind", "side", "price", "size", "order", "bid_price", "bid_size", "ask_price", "ask_size")
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MMRL_DATA", ROOT.parent / "shared" / "data"))
NS, MIDNIGHT_NS = 1_000_000_000, 1_704_153_600_000_000_000  # 2024-01-02, UTC

MESSAGES = [
    "34200.000000001,1,11,100,1000100,-1",
    "34200.5,1,12,50,1000000,1",
    "34201.25,4,11,40,1000100,-1",
    "34201.25,4,11,60,1000100,-1",
    "34202,5,0,10,1000050,1",
    "34203,3,12,50,1000000,1",
]
BOOKS = [
    "1000100,100,9999999999,0",
    "1000100,100,1000000,50",
    "1000100,60,1000000,50",
    "9999999999,0,1000000,50",
    "9999999999,0,1000000,50",
    "9999999999,0,-9999999999,0",
]


def real(name: str) -> Path:
    """A file of real data; skips the test where it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no real data: {path} is absent (MMRL_DATA names the folder)")
    return path


def lobster(
    folder: Path, messages: Sequence[str] = MESSAGES, books: Sequence[str] = BOOKS, end: str = "\n"
) -> list[Path]:
    """A LOBSTER day of one level."""
    paths = [folder / f"X_2024-01-02_34200000_57600000_{what}_1.csv" for what in ("message", "orderbook")]
    for path, rows in zip(paths, (messages, books), strict=True):
        path.write_text("\n".join(rows) + end)
    return paths


def rows_of(events: Events) -> list[tuple[int, ...]]:
    """Events as tuples of plain numbers, without their times."""
    return list(zip(*(getattr(events, name).tolist() for name in COLUMNS[1:]), strict=True))


def same(one: Events, other: Events) -> None:
    """Every column of two tables is equal."""
    assert len(one) == len(other)
    for name in COLUMNS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert (one.tick, one.lot, one.date) == (other.tick, other.lot, other.date)


def dbn(path: Path, schema: str, records: Sequence[Any], symbols: dict[str, int] | None = None) -> Path:
    """A DBN file of some records."""
    library = pytest.importorskip("databento_dbn")
    metadata = library.Metadata(
        dataset="GLBX.MDP3",
        start=MIDNIGHT_NS,
        stype_in=library.SType.RAW_SYMBOL,
        stype_out=library.SType.INSTRUMENT_ID,
        schema=library.Schema.from_str(schema),
        symbols=list(symbols or {"X": 1}),
    )
    path.write_bytes(bytes(metadata) + b"".join(bytes(record) for record in records))
    return path


def mbo(action: str, side: str, price: float, size: int, order: int, **more: Any) -> Any:
    """A record of market by order, a second after the midnight of 2024-01-02 unless `ts` (s) says otherwise."""
    library = pytest.importorskip("databento_dbn")
    at = MIDNIGHT_NS + round(more.pop("ts", 1) * NS)
    values = {"publisher_id": 1, "instrument_id": 1, "ts_event": at, "ts_recv": at, **more}
    actions = {action.value: action for action in library.Action.variants()}
    sides = {side.value: side for side in library.Side.variants()}
    return library.MBOMsg(
        order_id=order, price=round(price * 1e9), size=size, action=actions[action], side=sides[side], **values
    )


def stream(kind: str, **data: Any) -> str:
    """One recorded line of a Binance stream."""
    at = MIDNIGHT_NS + data.get("T", 0) * 1_000_000
    data["T"] = MIDNIGHT_NS // 1_000_000 + data.get("T", 0)
    told = {"stream": f"x@{kind}", "data": {"e": kind, "s": "X", **data}}
    return f"{at} {json.dumps(told)}"
