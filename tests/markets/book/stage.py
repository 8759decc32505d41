"""One compiled book, step by step, with its orders placed by hand or its seeds drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.kernels.account import Account
from mmrl.kernels.random import normal, poisson, seed_stream
from mmrl.markets.book import dynamics as law
from mmrl.markets.book import order_book as b
from mmrl.markets.book import state
from mmrl.markets.book.order_book import BID, MAKER
from mmrl.settings.build import build
from mmrl.settings.model import Config
from tests.conftest import book_of

NO_ORDERS = (-200.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Book:
    """The compiled law of one book: its state, its stream, and what the maker's account was before each step."""

    def __init__(self, config: Config, seed: int = 1, epoch: int = 0, number: int = 0) -> None:
        self.config, self.number = config, number
        self.p = law.parameters(book_of(config))
        self.s = state.State(
            np.empty((self.p.levels, 4), np.int32),
            np.empty((state.lot_capacity(self.p), 3), np.int32),
            np.zeros(b.words.py_func(self.p.levels), np.uint64),
            np.zeros(1, state.CORE)[0],
            np.zeros((0, 2), np.int64),
            np.zeros(0, np.uint64),
        )
        self.stream = np.empty(4, np.uint64)
        seed_stream(self.stream, seed, epoch, number)

    def reset(self) -> None:
        """Seed the book from the stream."""
        law.reset(self.p, self.s, self.stream, self.number)

    @property
    def mid(self) -> float:
        """In ticks above the base."""
        return float(self.s.core["numbers"][state.MID])

    @mid.setter
    def mid(self, mid: float) -> None:
        self.s.core["numbers"][state.MID] = mid

    @property
    def empty(self) -> bool:
        return bool(law.empty(self.s))

    def act(self, *quote: float) -> None:
        law.act(self.p, self.s, np.array(quote, float))

    def advance(self) -> int:
        """The market's answer: how the step ended."""
        return int(law.advance(self.p, self.s, self.stream))

    def account(self) -> Account:
        found: Account = law.account(self.p, self.s)
        return found

    def seen(self) -> list[float]:
        """(q_b, delta_b, q_a, delta_a) of the newest state, as observed."""
        out = np.zeros(4 * self.p.states + 1 + self.p.extras, np.float32)
        law.observe(self.p, self.s, out)
        return [round(float(x), 9) for x in self.s.core["seen"]]

    def money(self) -> tuple[int, int]:
        """Cash in ticks and inventory."""
        return int(self.s.core["account"][state.CASH]), int(self.s.core["account"][state.INVENTORY])

    def flows(self) -> tuple[int, int, int, int]:
        """What the step has bought and sold, paid and received, in shares and ticks."""
        bought, sold, paid, received = self.s.core["account"][state.BOUGHT : state.RECEIVED + 1].tolist()
        return bought, sold, paid, received

    def side(self, side: int) -> np.ndarray:
        """(shares, the maker's) of every level of a side, int64 [L, 2]."""
        best, level = self.s.core["meta"][b.BEST + side], np.arange(len(self.s.ladder))
        mine = (level <= best) if side == BID else (level >= best)
        return np.asarray(self.s.ladder[:, :2] * mine[:, None])

    def levels(self, side: int) -> list[tuple[int, int, int]]:
        """(ticks, shares, the maker's) of a side, best first."""
        rows = self.side(side)
        found = [(i + self.p.base, int(rows[i, 0]), int(rows[i, 1])) for i in range(len(rows)) if rows[i, 0]]
        return found[::-1] if side == BID else found


class Stage(Book):
    """A book without noise around 100.00: the mid moves by `shift` cents a step, orders are placed by hand."""

    def __init__(self, intensity: tuple[float, ...] = NO_ORDERS, shift: float = 0.0, **market: Any) -> None:
        still = {"midprice": 100.0, "seed_spread": 1.0, "nt": 10, "volatility": 0.0, "drift": shift / 100}
        super().__init__(build({"market": {**still, "intensity": intensity, **market}}))
        self.mid = self.p.mid
        b.clear(self.s, self.p.priority)

    def put(self, side: int, shares: int, cents: int, owner: int = MAKER) -> None:
        b.place(self.s, side, cents - self.p.base, shares, owner)

    def step(self, orders: tuple[int, int] | None = None) -> None:
        """One step of the market, on a stream that brings these market orders (buys, sells) if they matter."""
        for index in range(100_000 if orders else 0):
            seed_stream(self.stream, 1, 0, index)
            copy = self.stream.copy()
            normal(copy)
            if (poisson(copy, 1.0, 99), poisson(copy, 1.0, 99)) == orders:
                break
        self.advance()
