"""What the book records of each step: shares and money by hand, and against the slow reference book."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmrl.kernels.account import DISCARDED
from mmrl.kernels.random import normal, poisson
from mmrl.markets.book import dynamics as law
from mmrl.markets.book.order_book import ASK, BID, OTHERS
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.settings.build import build
from tests.conftest import book_of
from tests.markets.book.reference_book import ReferenceBook
from tests.markets.book.stage import Book, Stage

FLOOD = (60.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SIDES = {BID: "bid", ASK: "ask"}
FAR = {"bid": 0, "ask": 10**9}


def test_the_flows_of_two_steps_by_hand() -> None:
    """Prices in cents; the mid starts at 100.00 and rises by 5 cents a step."""
    s = Stage(FLOOD, shift=5)
    s.put(ASK, 2, 10000, OTHERS)
    s.put(BID, 9, 9990, OTHERS)
    s.put(ASK, 4, 10020, OTHERS)
    s.act(5, 0.0, 3, 0.01)  # buys two of others at 100.00 and leaves three there; three to sell at 100.01
    assert s.flows() == (2, 0, 2 * 10000, 0)
    s.step()  # the mid passes 100.01: three are sold; then the flood takes the best on either side
    assert s.flows() == (2 + 3, 3, 5 * 10000, 3 * 10001)
    assert s.money() == (3 * 10001 - 5 * 10000, 2)
    account = s.account()
    assert account.revaluation == pytest.approx(2 * 0.05)  # the two it held when the mid moved
    assert (account.bid, account.ask) == pytest.approx((100.00, 100.01))  # after its orders, before the market
    assert (account.paid, account.received) == pytest.approx((500.0, 300.03))
    assert account.cash_change == pytest.approx(-199.97)
    assert (account.time, account.elapsed) == (1.0, 1.0)
    assert account.value == pytest.approx(-199.97 + 2 * 100.05)

    s.put(BID, 9, 9990, OTHERS)
    s.put(ASK, 4, 10020, OTHERS)
    s.act(0, 0, -9, 5.0)  # nothing of its own is left to withdraw
    s.step()
    assert s.flows() == (0, 0, 0, 0)
    account = s.account()
    assert (account.bought, account.sold, account.paid, account.received, account.cash_change) == (0, 0, 0, 0, 0)
    assert account.revaluation == pytest.approx(2 * 0.05)
    assert account.time == 2.0


def test_own_orders_that_meet_and_withdrawals_are_no_flows() -> None:
    s = Stage()
    s.put(ASK, 5, 10000)
    s.act(3, 0.0, 0, 0)
    assert s.flows() == (0, 0, 0, 0)
    s.act(0, 0, -2, 0.0)
    assert s.flows() == (0, 0, 0, 0) and s.money() == (0, 0)


def test_a_step_that_is_discarded_leaves_the_account_and_the_clock() -> None:
    s = Stage(FLOOD, emptying_step="discarded", market_order="walk")
    s.put(ASK, 3, 10001)
    s.put(BID, 2, 9999)
    s.act(1, 0.5, 0, 0)
    before = s.account()
    assert s.advance() == DISCARDED
    after = s.account()
    assert (after.cash, after.inventory, after.time) == (before.cash, before.inventory, before.time) == (0, 0, 0)


class Twin:
    """The same rules spelled out on the slow book, with the random numbers of the compiled one."""

    def __init__(self, play: Book) -> None:
        self.play, self.market = play, book_of(play.config)
        self.slow = ReferenceBook("time")
        for side, name in SIDES.items():
            for price, shares, own in play.levels(side):
                assert own in (0, shares)
                self.slow.place(name, shares, price, "maker" if own else "others")

    def act(self, quote: tuple[float, ...]) -> None:
        mid = self.play.mid + self.play.p.base
        for k, name in enumerate(SIDES.values()):
            shares, ticks = int(quote[2 * k]), quote[2 * k + 1] / 0.01
            price = math.floor(mid - ticks + 1e-7) if name == "bid" else math.ceil(mid + ticks - 1e-7)
            if shares > 0:
                self.slow.place(name, shares, price, "maker")
            elif shares < 0:
                self.slow.cancel(name, -shares, price)

    def advance(self, stream: np.ndarray, mid: float) -> None:
        """Crossed orders at the new mid (ticks), then market orders drawn from a stream as it was before the step."""
        normal(stream)
        self.slow.take("bid", 10**9, math.floor(mid) + 1, "others")
        self.slow.take("ask", 10**9, math.ceil(mid) - 1, "others")
        counts = {}
        for name, sign in (("ask", 1), ("bid", -1)):
            depth = self.slow.depth(name)
            size = depth[0][1] if depth else 0
            rate = law.arrival_rate(self.play.p, sign * (depth[0][0] - mid) * 0.01, size) if depth else 0.0
            cap = size if self.market.market_order == "best" else sum(n for _, n, _ in depth)
            counts[name] = poisson(stream, self.play.p.dt * rate, cap)
        for name, count in counts.items():
            self.slow.take(name, count, FAR[name], "others")

    def flows(self) -> tuple[int, int, int, int]:
        return self.slow.bought, self.slow.sold, self.slow.paid, self.slow.received


@pytest.mark.parametrize(
    "rules",
    [{}, {"market_order": "walk"}, {"owner": "maker"}, {"owner": "maker", "market_order": "walk", "volatility": 0.03}],
    ids=["default", "walk", "own seeds", "own seeds, walk"],
)
def test_flows_are_those_of_the_reference_book(rules: dict[str, Any]) -> None:
    calm = (4.0, -2.13, -0.8, -2.3, 0.167, -0.1)
    wide = {"seed_spread": 0.5, "volatility": 0.015, "book_size": 1500, "nt": 120, "intensity": calm, "dt": 0.5}
    config = build({"market": {**wide, **rules}})
    rng, crossed, traded = np.random.default_rng(8), 0, 0
    for number in range(5):
        play = Book(config, 21, 0, number)
        play.reset()
        twin, before = Twin(play), (0, 0, 0, 0)
        for step in range(120):
            bids, asks = (int(x) for x in rng.integers(-4, 9, 2))
            quote = (float(bids), float(rng.exponential(0.08)), float(asks), float(rng.exponential(0.08)))
            twin.act(quote)
            play.act(*quote)
            held, mid, stream = play.money()[1], play.mid, play.stream.copy()
            at_action = play.flows()
            assert at_action == tuple(np.subtract(twin.flows(), before))
            play.advance()
            twin.advance(stream, play.mid + play.p.base)
            flows = tuple(np.subtract(twin.flows(), before).tolist())
            assert play.flows() == flows
            assert play.money() == (twin.slow.cash, twin.slow.inventory)
            for side, name in SIDES.items():
                assert play.levels(side) == twin.slow.depth(name)
            account = play.account()
            assert account.revaluation == pytest.approx(held * (play.mid - mid) * 0.01, rel=1e-9, abs=1e-12)
            assert account.paid == pytest.approx(flows[2] * 0.01, rel=1e-12)
            assert account.received == pytest.approx(flows[3] * 0.01, rel=1e-12)
            assert account.cash_change == pytest.approx((flows[3] - flows[2]) * 0.01, rel=1e-12, abs=1e-12)
            assert account.time == pytest.approx((step + 1) * 0.5)
            before, crossed, traded = twin.flows(), crossed + any(at_action), traded + any(flows)
            if play.empty:
                break
    assert traded > 50


@pytest.mark.parametrize("rules", [{}, {"market_order": "walk", "owner": "maker"}], ids=["default", "own seeds, walk"])
def test_the_rollout_records_the_flows_of_the_reference_book(rules: dict[str, Any]) -> None:
    config = build({"market": {"nt": 80, "seed_spread": 2.0, "book_size": 1500, **rules}})
    action = (4.0, 0.2, 3.0, 0.25)
    batch = rollout(config, fixed(*action), 21, 2, count=3, threads=1)
    for number in range(3):
        play = Book(config, 21, 2, number)
        play.reset()
        twin, before = Twin(play), (0, 0, 0, 0)
        rows = range(batch.offsets[number], batch.offsets[number + 1])
        for row in rows:
            twin.act(action)
            play.act(*action)
            held, mid, stream = play.money()[1], play.mid, play.stream.copy()
            play.advance()
            twin.advance(stream, play.mid + play.p.base)
            bought, sold, paid, received = np.subtract(twin.flows(), before).tolist()
            assert (batch.bought[row], batch.sold[row]) == (bought, sold)
            assert (batch.paid[row], batch.received[row]) == pytest.approx((paid * 0.01, received * 0.01), rel=1e-12)
            assert batch.revaluation[row] == pytest.approx(held * (play.mid - mid) * 0.01, rel=1e-9, abs=1e-12)
            before = twin.flows()
        assert batch.final_cash[number] == pytest.approx(twin.slow.cash * 0.01, rel=1e-12)
        assert batch.final_inventory[number] == twin.slow.inventory
        assert len(rows) > 10
    assert batch.bought.sum() > 50 and batch.sold.sum() > 50
