"""The LOBSTER sample day read in a few lines of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mmrl.data.events import CANCEL, HIDDEN, LIMIT, TRADE, Events

DATA = Path(os.environ.get("MMRL_DATA", "../shared/data"))
KINDS = {1: LIMIT, 2: CANCEL, 3: CANCEL, 4: TRADE, 5: HIDDEN}


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
    first = np.array([0])  # before the first event nobody knows the book: no sizes
    bid, bid_size, ask, ask_size = (np.append(first, x[:-1]) for x in (bid // 100, bid_size, ask // 100, ask_size))
    kinds = np.array([KINDS.get(k, -1) for k in kind], np.int8)
    time_ns, sides, ticks = np.rint(time * 1e9).astype(np.int64), side.astype(np.int8), price // 100
    return Events(time_ns, kinds, sides, ticks, size, order, bid, bid_size, ask, ask_size, 0.01, 1.0, "2012-06-21", ())
