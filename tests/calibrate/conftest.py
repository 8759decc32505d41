"""Events by hand, and the LOBSTER sample day read in a few lines of the tests' own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mmrl.data.events import CANCEL, HIDDEN, LIMIT, NO_ORDER, NO_SIZE, TRADE, Events

DATA = Path(os.environ.get("MMRL_DATA", "../shared/data"))
KINDS = {1: LIMIT, 2: CANCEL, 3: CANCEL, 4: TRADE, 5: HIDDEN}
OPEN_NS = 34_200 * 10**9


def events_of(rows: Sequence[Sequence[float]], tick: float = 0.01, lot: float = 1.0, start_ns: int = OPEN_NS) -> Events:
    """Rows of (seconds since the start, kind, side, price, size, bid, bid size, ask, ask size), the book before."""
    t, kind, side, price, size, *book = np.array(rows, np.float64).T
    time = start_ns + np.rint(t * 1e9).astype(np.int64)
    whole = [np.rint(column).astype(np.int64) for column in (price, size, np.full(len(t), NO_ORDER), *book)]
    return Events(time, kind.astype(np.int8), side.astype(np.int8), *whole, tick, lot, "2020-01-02", ())


@pytest.fixture(scope="session")
def amzn() -> Events:
    """AMZN, 2012-06-21, level 1."""
    folder = DATA / "lobster_amzn_l1"
    if not folder.is_dir():
        pytest.skip(f"no sample data: {folder} is absent (set MMRL_DATA)")
    message, book = sorted(folder.glob("*.csv"))
    # seconds to whole nanoseconds: a float64 near 57600 holds them to 1e-11
    time, *columns = np.loadtxt(message, delimiter=",").T
    kind, order, size, price, side = (column.astype(np.int64) for column in columns)
    ask, ask_size, bid, bid_size = np.loadtxt(book, delimiter=",", dtype=np.int64).T
    before = [np.concatenate([[first], column[:-1]]) for column, first in zip(
        (bid // 100, bid_size, ask // 100, ask_size), (0, NO_SIZE, 0, NO_SIZE), strict=True
    )]
    kinds = np.array([KINDS.get(k, -1) for k in kind], np.int8)
    time_ns = np.rint(time * 1e9).astype(np.int64)
    return Events(time_ns, kinds, side.astype(np.int8), price // 100, size, order, *before, 0.01, 1.0, "2012-06-21", ())
