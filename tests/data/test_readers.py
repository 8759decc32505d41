"""What all readers have in common: recognition, hashes, exact decimals, the optional libraries, exit codes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cli import EXIT_CODES
from mmrl.data.book import LevelBook, OrderBook
from mmrl.data.events import ASK, BID
from mmrl.data.notes import DataError, needed
from mmrl.data.recognise import READERS, read, recognised
from mmrl.data.units import SCALE, decimal, inferred, scaled, units_of
from tests.data.samples import ROOT, dbn, lobster, mbo


def test_formats_are_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    message, book = lobster(tmp_path)
    renamed = message.rename(tmp_path / "a.bin"), book.rename(tmp_path / "b.npz")
    assert [recognised(path) for path in renamed] == ["lobster", "lobster"]
    assert len(read(renamed)) == 6
    assert recognised(dbn(tmp_path / "orders.csv", "mbo", [mbo("A", "B", 1.0, 1, 1)])) == "databento"


def test_what_is_not_known_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.dbn"
    for content in (b"time,open,close\n1,2,3\n", b"\x00\x01\x02" * 50, b"\n\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"x\.dbn, line 1: of no known format \(LOBSTER, ") as refused:
            read([path])
        assert "\n" not in str(refused.value)
    with pytest.raises(DataError, match="a folder: name the files in it"):
        read([tmp_path])
    with pytest.raises(DataError, match="format = csv is not allowed: auto, lobster, databento"):
        read([path], "csv")
    with pytest.raises(DataError, match="no data file is named"):
        read([])
    (message, _) = lobster(tmp_path)
    other = dbn(tmp_path / "y.dbn", "mbo", [mbo("A", "B", 1.0, 1, 1)])
    with pytest.raises(DataError, match=r"not read together: .*message_1\.csv is lobster, y\.dbn is databento"):
        read([message, other])
    for kind in set(READERS) - {"lobster", "binance-csv"}:
        with pytest.raises(DataError, match="at a time"):
            read([message, other], kind)


def test_sources_are_hashed(tmp_path: Path) -> None:
    paths = lobster(tmp_path)
    found = read(paths)
    assert [(s.name, s.sha256) for s in found.sources] == [
        (path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths
    ]


def test_commands_end_with_exit_code_two() -> None:
    assert EXIT_CODES[DataError.__name__] == 2


def test_an_absent_library_is_named_with_its_remedy() -> None:
    with pytest.raises(DataError, match=r"this format needs not-there, .*: pip install \"market-making-rl\[data\]\""):
        needed("not_there")


def test_importing_the_readers_needs_no_optional_library() -> None:
    code = "import sys, mmrl.data.recognise; print(sorted({'polars', 'databento_dbn', 'zstandard'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_decimals_are_exact() -> None:
    assert [scaled(text) for text in ("61800.30", "0.00000001", "-1.5", "3", "1e-3", "10.000000000")] == [
        6_180_030_000_000, 1, -150_000_000, 3 * SCALE, 100_000, 10 * SCALE
    ]  # fmt: skip
    for text in ("", "x", "1.000000001", "nan", "1,5", "inf"):
        with pytest.raises(ValueError, match=r"number|decimals"):
            scaled(text)
    (whole, other), scale = decimal([np.array([61800.3, 0.1]), np.array([4.0])])
    assert (whole.tolist(), other.tolist(), scale) == ([618003, 1], [40], 10)
    with pytest.raises(DataError, match=r"more than 8 decimals"):
        decimal([np.array([1 / 3])])


@pytest.mark.parametrize("step", [0.0, -1.0, 1e-5, 1.00005, 1e300, float("inf"), float("nan")])
def test_a_step_that_no_price_can_have_is_refused(step: float) -> None:
    with pytest.raises(DataError, match=r"tick = .* a positive multiple of 0\.0001, at most 9\.01e\+11"):
        units_of(step, 10_000, "tick")
    assert units_of(0.25, 10_000, "tick") == 2_500


def test_the_greatest_step_is_found_wherever_it_shows() -> None:
    values = np.full(5000, 600)
    assert inferred(values) == 600
    values[4321] = 950
    assert inferred(values) == 50
    assert inferred(np.zeros(5000, np.int64)) == inferred(np.zeros(0, np.int64)) == 1
    assert inferred(np.r_[np.zeros(2000, np.int64), 7]) == 7


def test_the_book_keeps_the_best_of_many_random_changes() -> None:
    rng, book = np.random.default_rng(1), LevelBook()
    slow: dict[int, dict[int, int]] = {BID: {}, ASK: {}}
    for _ in range(3000):
        side, price, size = int(rng.choice([BID, ASK])), int(rng.integers(1, 30)), int(rng.integers(0, 3))
        book.set(side, price, size)
        slow[side][price] = size
        bids, asks = ([p for p, n in slow[each].items() if n] for each in (BID, ASK))
        bid, ask = max(bids, default=0), min(asks, default=0)
        assert book.best() == (bid, slow[BID].get(bid, 0), ask, slow[ASK].get(ask, 0))


def test_orders_make_up_levels() -> None:
    book = OrderBook()
    book.add(1, BID, 10, 5)
    book.add(2, BID, 10, 3)
    assert book.reduce(1, 2) == 2 and book.levels.size(BID, 10) == 6
    book.add(2, ASK, 11, 4)  # the same number again: the older one leaves
    assert book.levels.best() == (10, 3, 11, 4)
    assert book.reduce(1, 99) == 3 and book.levels.best() == (0, 0, 11, 4)
    book.clear(ASK)
    assert book.orders == {} and book.levels.best() == (0, 0, 0, 0)
