"""One compiled order flow, driven step by step from Python, with a tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.kernels.account import Account
from mmrl.kernels.random import seed_stream
from mmrl.markets.order_flow import dynamics as law
from mmrl.markets.order_flow import queues, state
from mmrl.markets.order_flow.settings import AFTER, Settings
from mmrl.markets.order_flow.state import BID
from mmrl.markets.order_flow.tape import LEVELS
from mmrl.settings.build import build

FOR_EVER = 2**62


def settings_of(**market: Any) -> Settings:
    """Checked settings of an order flow."""
    found = build({"market": {"name": "order-flow", **market}}).market
    assert isinstance(found, Settings)
    return found


class Stage:
    """The compiled law: its parameters, its state, its stream."""

    def __init__(self, settings: Settings, seed: int = 1, tape: int = 0, tape_levels: int = 10) -> None:
        self.p = law.parameters(settings, tape=np.zeros((tape, LEVELS + 4 * tape_levels)))
        self.s = state.memory(self.p)
        self.meta, self.numbers = self.s.book["meta"], self.s.book["account"]
        self.stream = np.empty(4, np.uint64)
        seed_stream(self.stream, seed, 0, 0)

    def reset(self) -> Stage:
        law.reset(self.p, self.s, self.stream, 0)
        return self

    def clear(self) -> Stage:
        """An empty book, which the test fills by hand."""
        queues.clear(self.s, int(self.p.rules["mid"]))
        self.meta[state.LIVE] = 1
        return self

    def add(self, side: int, price: int, shares: int, own: int = 0) -> None:
        queues.add(self.s, np.int64(side), price, shares, np.int64(own))
        self.meta[state.MID] = self.meta[state.BEST] + self.meta[state.BEST + 1]

    def act(self, *quote: float) -> None:
        law.act(self.p, self.s, np.array(quote, float))

    def advance(self) -> None:
        law.advance(self.p, self.s, self.stream)

    def run(self, end: float = np.inf, events: int = FOR_EVER) -> None:
        law.run(self.p, self.s, self.stream, float(end), events)

    def account(self) -> Account:
        found: Account = law.account(self.p, self.s)
        return found

    def split(self) -> np.ndarray:
        out = np.zeros(1 + len(AFTER))
        law.split(self.p, self.s, out)
        return out

    def observe(self, columns: int) -> np.ndarray:
        out = np.zeros(columns, np.float32)
        law.observe(self.p, self.s, out)
        return out

    @property
    def written(self) -> int:
        """Messages on the tape."""
        count = int(self.meta[state.TAPED])
        assert count <= len(self.s.tape), "the tape is too short"
        return count

    def tape(self) -> np.ndarray:
        """Messages, float64 [M, 7 + 4 L]."""
        return self.s.tape[: self.written]

    def queue(self, price: int) -> list[tuple[int, int, bool]]:
        """Orders at a price, first to be filled first, as (number, shares, the maker's)."""
        row, found = price & (int(self.p.rules["rows"]) - 1), []
        if self.s.levels["price"][row] != price:
            return []
        slot, before = int(self.s.levels["head"][row]) if self.s.levels["shares"][row] else -1, -1
        while slot >= 0:
            order = self.s.orders[slot]
            assert order["previous"] == before
            found.append((int(order["number"]), int(order["shares"]), slot < state.OWNED))
            slot, before = int(order["next"]), slot
        return found

    def sides(self) -> list[dict[int, list[tuple[int, int, bool]]]]:
        """All queues of bids and asks by price."""
        found: list[dict[int, list[tuple[int, int, bool]]]] = [{}, {}]
        meta = self.meta
        for price in self.s.levels["price"][self.s.levels["shares"] > 0].tolist():
            bids = [int(meta[state.BEST + BID])] + [int(meta[state.OWN_PRICE])] * int(meta[state.OWN] >= 0)
            found[0 if price <= max(bids) else 1][price] = self.queue(price)
        return found

    def book_is_without_maker(self) -> bool:
        return not any(own for side in self.sides() for queue in side.values() for _, _, own in queue)
