"""Every rule of the book market on a book small enough to work out by hand; prices in cents around 100.00."""

from typing import Any

import numpy as np
import pytest

from mmrl.markets.book import dynamics as law
from mmrl.markets.book.order_book import ASK, BID, MAKER, OTHERS
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.settings.build import build
from tests.conftest import book_of
from tests.markets.book.stage import Stage

FLOOD = (60.0, 0.0, 0.0, 0.0, 0.0, 0.0)  # more than any side holds, so that the cap alone decides
ONE_A_STEP = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("owner", "paid"), [("others", False), ("maker", True)])
def test_owner_of_the_seeded_shares(owner: str, paid: bool) -> None:
    s = Stage(FLOOD, owner=owner, market_order="walk", book_size=200)
    s.reset()
    bids, asks = s.levels(BID), s.levels(ASK)
    assert all(own == (n if paid else 0) for _, n, own in bids + asks)
    s.step()
    sold, bought = sum(n for _, n, _ in asks), sum(n for _, n, _ in bids)
    cash = sum(p * n for p, n, _ in asks) - sum(p * n for p, n, _ in bids)
    assert s.money() == ((cash, bought - sold) if paid else (0, 0))
    assert sold > 50 and bought > 50 and s.levels(BID) == s.levels(ASK) == []


@pytest.mark.parametrize(("crossed", "money"), [("filled", (3 * 10002, -3)), ("dropped", (0, 0))])
def test_orders_that_the_mid_has_crossed(crossed: str, money: tuple[int, int]) -> None:
    s = Stage(shift=5, crossed=crossed)
    s.put(ASK, 4, 10002, OTHERS)
    s.put(ASK, 3, 10002)
    s.put(ASK, 2, 10006)
    s.put(BID, 1, 9990)
    s.step()  # the mid moves to 100.05
    assert s.money() == money
    assert s.levels(ASK) == [(10006, 2, 2)]
    s = Stage(shift=-5, crossed=crossed)
    s.put(BID, 3, 9998)
    s.put(BID, 2, 9994)
    s.put(ASK, 1, 10010)
    s.step()
    assert s.money() == ((-3 * 9998, 3) if crossed == "filled" else (0, 0))
    assert s.levels(BID) == [(9994, 2, 2)]


@pytest.mark.parametrize(
    ("market_order", "money", "left"),
    [("best", (3 * 10001, -3), [(10002, 2, 2)]), ("walk", (3 * 10001 + 2 * 10002, -5), [])],
)
def test_what_a_market_order_takes(market_order: str, money: tuple[int, int], left: list) -> None:
    s = Stage(FLOOD, market_order=market_order)
    s.put(ASK, 3, 10001)
    s.put(ASK, 2, 10002)
    s.put(BID, 7, 9999, OTHERS)
    s.step()
    assert s.money() == money and s.levels(ASK) == left


@pytest.mark.parametrize(("exhausted", "left"), [("ends", []), ("refilled", [(10006, 100, 0)])])
def test_a_side_that_the_mid_has_exhausted(exhausted: str, left: list) -> None:
    s = Stage(shift=5, exhausted=exhausted)
    s.put(ASK, 3, 10002)
    s.put(BID, 3, 9990)
    s.step()
    assert s.levels(ASK) == left
    assert s.empty == (exhausted == "ends")


def test_size_at_the_touch_is_all_shares_or_the_first_lot() -> None:
    for rule, sizes in (("level", [15, 14, 13]), ("lot", [2, 2, 5])):  # the lot is stale until it is gone
        s = Stage(ONE_A_STEP, touch_size=rule, priority="size", crossed="dropped")
        for shares in (5, 2, 8):
            s.put(ASK, shares, 10001)
        s.put(BID, 9, 9999)
        law._look(s.p, s.s)
        got = [s.seen()[2]]
        for _ in range(2):
            s.step(orders=(1, 0))
            got.append(s.seen()[2])
        assert got == sizes
        assert s.seen()[:2] == [9, 0.01] and s.money() == (2 * 10001, -2)


@pytest.mark.parametrize(("priority", "money"), [("time", (0, 0)), ("size", (2 * 10001, -2))])
def test_priority_at_one_price(priority: str, money: tuple[int, int]) -> None:
    s = Stage(ONE_A_STEP, priority=priority)
    s.put(ASK, 4, 10001, OTHERS)
    s.put(ASK, 2, 10001, MAKER)
    s.put(BID, 9, 9999, OTHERS)
    s.step(orders=(3, 0))
    assert s.money() == money and s.levels(ASK)[0][1] == 3


def test_step_that_empties_the_book() -> None:
    for rule, length in (("kept", 1), ("discarded", 0)):
        rules: dict[str, Any] = {
            "emptying_step": rule,
            "owner": "maker",
            "market_order": "walk",
            "book_size": 200,
            "nt": 3,
        }
        batch = rollout(Stage(FLOOD, **rules).config, fixed(0, 0, 0, 0), 1, 0, count=4, threads=1)
        assert batch.lengths.tolist() == [length] * 4 and batch.terminated.all()
        assert np.all(batch.final_cash != 0) == (rule == "kept")
        assert np.all(batch.final_inventory == 0) == (rule == "discarded")


def test_rounding_of_quotes() -> None:
    for rule, bids, asks in (("away", [9999, 9999], [10002, 10001]), ("nearest", [9999, 10000], [10001, 10001])):
        for k, delta in enumerate((0.010, 0.006)):
            s = Stage(rounding=rule)
            s.mid += 0.4  # 100.004
            s.act(1, delta, 1, delta)
            assert s.levels(BID) == [(bids[k], 1, 1)]
            assert s.levels(ASK) == [(asks[k], 1, 1)]
    s = Stage()
    s.act(1, 0.29, 1, 0.29)  # 0.29 / 0.01 is 28.999...: it stays on its own tick
    assert (s.levels(BID)[0][0], s.levels(ASK)[0][0]) == (9971, 10029)
    for tenths in range(1, 10):  # the same for asks: from 100.00f to every cent above
        for cents in range(1, 60):
            s = Stage()
            s.mid += tenths / 10
            s.act(0, 0, 1, (cents - tenths / 10) / 100)
            assert s.levels(ASK)[0][0] == 10000 + cents


def test_sizes_are_rounded_and_distances_clipped_at_the_mid() -> None:
    s = Stage()
    s.act(2.6, -0.5, 0.4, 0.1)
    assert s.levels(BID) == [(10000, 3, 3)] and s.levels(ASK) == []
    s.act(float("nan"), 0.1, 1.0, float("nan"))
    assert s.levels(BID) == [(10000, 3, 3)] and s.levels(ASK) == []


def test_uniform_runs_on_when_a_side_is_empty() -> None:
    s = Stage(FLOOD, market_order="walk", book_size=200, nt=5, uniform=True)
    batch = rollout(s.config, fixed(0, 0, 0, 0), 1, 0, count=3, threads=1)
    assert batch.lengths.tolist() == [5, 5, 5] and not batch.terminated.any()
    state = batch.observation.reshape(3, 5, -1)[:, :, :4]
    assert np.all(state[:, 0, ::2] > 0) and not state[:, 1:].any()
    assert np.all(batch.reward[batch.offsets[1:] - 1] == batch.final_value)  # T was reached
    ended = rollout(
        Stage(FLOOD, market_order="walk", book_size=200, nt=5).config, fixed(0, 0, 0, 0), 1, 0, count=3, threads=1
    )
    assert ended.lengths.tolist() == [1, 1, 1] and ended.terminated.all()


def test_negative_sizes_withdraw_the_makers_own() -> None:
    s = Stage()
    s.put(ASK, 5, 10001, OTHERS)
    s.put(ASK, 3, 10001)
    s.put(ASK, 4, 10002)
    s.put(BID, 2, 9999)
    s.act(0, 0, -5, 0.01)  # no further than the given price
    assert s.levels(ASK) == [(10001, 5, 0), (10002, 4, 4)]
    s.act(0, 0, -3, 5.0)
    assert s.levels(ASK) == [(10001, 5, 0), (10002, 1, 1)]
    s.act(-9, 0.0, 0, 0)  # nothing of it stands at the mid
    assert s.levels(BID) == [(9999, 2, 2)]
    s.act(-9, 0.01, 0, 0)
    assert s.levels(BID) == [] and s.money() == (0, 0)


def test_negative_sizes_withdraw_best_first_and_widen_the_spread() -> None:
    s = Stage()
    s.put(ASK, 3, 10001)
    s.put(ASK, 4, 10002)
    s.act(0, 0, -5, 1.0)
    assert s.levels(ASK) == [(10002, 2, 2)] and s.money() == (0, 0)


def test_an_order_that_meets_the_makers_own_cancels_against_it() -> None:
    s = Stage()
    s.put(ASK, 5, 10000)
    s.act(3, 0.0, 0, 0)
    assert s.levels(ASK) == [(10000, 2, 2)] and s.levels(BID) == []
    s = Stage()
    s.act(3, 0.0, 2, 0.0)  # the bid is placed first, the ask meets it
    assert s.levels(BID) == [(10000, 1, 1)] and s.levels(ASK) == [] and s.money() == (0, 0)


def test_an_order_that_meets_the_shares_of_others_trades() -> None:
    s = Stage()
    s.put(ASK, 2, 10000, OTHERS)
    s.put(ASK, 2, 10000)
    s.act(5, 0.0, 0, 0)  # two bought, two of its own cancelled, one rests
    assert s.money() == (-2 * 10000, 2)
    assert s.levels(ASK) == [] and s.levels(BID) == [(10000, 1, 1)]
    s = Stage()
    s.put(BID, 4, 10000, OTHERS)
    s.act(0, 0, 3, 0.0)
    assert s.money() == (3 * 10000, -3) and s.levels(BID) == [(10000, 1, 0)]


def test_both_sides_are_hit_in_one_step_and_the_mid_does_not_enter_the_cash() -> None:
    s = Stage(FLOOD)
    s.put(ASK, 3, 10003)
    s.put(BID, 5, 9998)
    s.step()
    assert s.money() == (3 * 10003 - 5 * 9998, 2)


def test_what_is_observed() -> None:
    s = Stage()
    s.put(ASK, 3, 10003)
    s.put(ASK, 2, 10003, OTHERS)
    s.put(BID, 4, 9998)
    assert s.seen() == [4, 0.02, 5, 0.03]
    s.act(-4, 1.0, 0, 0)
    assert s.seen() == [0, 0, 0, 0]


def test_step_length_scales_drift_noise_and_rates() -> None:
    one, four = (law.parameters(book_of(build({"market": {"dt": dt}}))) for dt in (1.0, 4.0))
    assert one.drift == pytest.approx(3.59e-6 / 0.01)
    assert one.scale == pytest.approx(2.4e-3 / 0.01)
    assert four.drift == pytest.approx(4 * 3.59e-6 / 0.01)
    assert four.scale == pytest.approx(2 * 2.4e-3 / 0.01)
    assert four.dt == 4.0
