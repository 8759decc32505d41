"""The compiled book against the slow reference book, operation by operation."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mmrl.market.book import LimitOrderBook

_spec = importlib.util.spec_from_file_location("reference_book", Path(__file__).with_name("reference_book.py"))
assert _spec and _spec.loader
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
ReferenceBook = _module.ReferenceBook


@pytest.mark.parametrize("priority", ["time", "size"])
def test_random_operations_agree_with_the_reference(priority: str) -> None:
    rng = np.random.default_rng(7)
    book, slow = LimitOrderBook(900, 1100, priority), ReferenceBook(priority)
    count = 30_000
    kinds, sizes = rng.integers(0, 7, count), rng.integers(1, 30, count)
    prices, owners = rng.normal(1000, 15, count).astype(int).clip(900, 1100), rng.integers(0, 2, count)
    for i, (kind, n, price) in enumerate(zip(kinds.tolist(), sizes.tolist(), prices.tolist(), strict=True)):
        owner = ("others", "maker")[owners[i]]
        if kind in (0, 1):
            side = ("bid", "ask")[kind]
            got = (book.bid if kind == 0 else book.ask)(n, price, owner)
            want = slow.place(side, n, price, owner)
        elif kind == 2:
            got, want = book.buy(n), slow.take("ask", n, 1100, "others")
        elif kind == 3:
            got, want = book.sell(n, price), slow.take("bid", n, price, "others")
        elif kind == 4:
            got, want = book.cancel("bid", n, price), slow.cancel("bid", n, price)
        elif kind == 5:
            got, want = book.cancel("ask", n, price), slow.cancel("ask", n, price)
        else:
            got, want = book.sell(n), slow.take("bid", n, 900, "others")
        assert got == want, f"operation {i}"
        assert (book.cash, book.inventory) == (slow.cash, slow.inventory), f"operation {i}"
        bid, ask = book.best("bid"), book.best("ask")
        assert bid is None or ask is None or bid[0] < ask[0], f"crossed after operation {i}"
        assert bid == (slow.depth("bid")[0][:2] if slow.sides["bid"] else None), f"operation {i}"
        assert ask == (slow.depth("ask")[0][:2] if slow.sides["ask"] else None), f"operation {i}"
        if i % 20 == 0:
            for side in ("bid", "ask"):
                assert book.depth(side) == slow.depth(side), f"operation {i}"
                for p, lots in slow.sides[side].items():
                    assert book.lots(p) == [(n, o) for n, o in lots], f"operation {i}"
                    assert all(n > 0 for n, _ in lots)


def test_maker_meeting_itself_moves_no_cash() -> None:
    book = LimitOrderBook(0, 100)
    book.ask(5, 50, "maker")
    assert book.bid(3, 55, "maker") == 3
    assert (book.cash, book.inventory) == (0, 0)
    assert book.best("ask") == (50, 2) and book.best("bid") is None


def test_bad_orders_are_refused() -> None:
    book = LimitOrderBook(0, 100)
    with pytest.raises(ValueError):
        book.bid(0, 50)
    with pytest.raises(ValueError):
        book.ask(1, 101)
