"""Books of any scale: recorded, read and drawn with the prices that they have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.rollout.quoters import fixed
from mmrl.rollout.recording import record_book
from mmrl.runs.book_recording import BookRecording, read_recording
from mmrl.settings.errors import ConfigError
from mmrl.settings.sources import resolve

BOOK = {"market.name": "book", "market.nt": 30, "run.threads": 1}
FLOW = {"market.name": "order-flow", "market.nt": 20, "run.threads": 1}


def recorded(**values: Any) -> BookRecording:
    config, _ = resolve({key.replace("__", "."): value for key, value in values.items()})
    axes = 4
    book = record_book(config, fixed(*(1.0, 0.02) * (axes // 2)), 1, 1, 0)
    assert book is not None
    again = read_recording(book.arrays())
    assert again is not None
    return again


@pytest.mark.parametrize("market", [BOOK, FLOW])
@pytest.mark.parametrize("midprice", [533.0, 25e6, 1e9])
def test_levels_stand_around_the_mid(market: dict[str, Any], midprice: float) -> None:
    tick = 0.01
    book = recorded(**market, market__midprice=midprice, market__tick=tick)
    for at in (0, len(book.step) - 1):
        price, shares, _ = book.levels(at)
        assert price.dtype == np.int64 and (np.diff(price) > 0).all()
        best_bid, best_ask = price[shares > 0].max() * tick, price[shares < 0].min() * tick
        assert best_bid < best_ask and abs(best_bid - midprice) < 200 and abs(best_ask - midprice) < 200


def test_fills_keep_their_cents_at_any_price() -> None:
    config, _ = resolve({**BOOK, "market.midprice": 25e6, "market.nt": 400})
    book = record_book(config, fixed(3.0, 0.02, 3.0, 0.02), 1, 1, 0)
    assert book is not None and len(book.fill_price)
    assert book.fill_price.dtype == np.float64
    ticks = book.fill_price / 0.01  # one price a fill at the best level
    assert np.abs(ticks - np.rint(ticks)).max() < 0.01
    assert np.abs(book.fill_price - 25e6).max() < 200


def test_of_several_changes_of_a_level_the_last_one_wins() -> None:
    book = recorded(**BOOK)
    for at in range(len(book.step)):
        held: dict[int, tuple[int, int]] = {}
        upto = int(book.offsets[at + 1])
        for price, shares, own in zip(book.price[:upto], book.shares[:upto], book.own[:upto], strict=True):
            held[int(price)] = int(shares), int(own)
        want = [(price, *held[price]) for price in sorted(held) if held[price][0]]
        assert [tuple(map(int, row)) for row in zip(*book.levels(at), strict=True)] == want


@pytest.mark.parametrize("market", ["book", "order-flow"])
def test_a_price_of_more_ticks_than_can_be_told_apart_is_refused(market: str) -> None:
    with pytest.raises(
        ConfigError, match=r"market.tick = 1e-10 is too fine for market.midprice = 1e\+09: it must be >"
    ):
        resolve({"market.name": market, "market.midprice": 1e9, "market.tick": 1e-10})
