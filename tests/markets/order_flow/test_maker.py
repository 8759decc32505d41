"""The maker's orders in the queue, case by case, worked out by hand. Nobody else acts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.markets.contract import market_named
from mmrl.markets.order_flow import queues, state
from mmrl.markets.order_flow.state import ASK, BID, INVENTORY, OWN
from mmrl.markets.order_flow.tape import ORDER, SIZE
from tests.markets.order_flow.stage import Stage, settings_of

FAR = (1e-9,)
CENT = 0.01


def stage(**market: Any) -> Stage:
    """Bids of 3 and 2 shares at 9999, 4 at 9997; asks of 3 at 10001, 5 at 10002: a tick is 0.01, the mid 100.00."""
    quiet = {"limit_rates": FAR, "cancel_rates": FAR, "market_rates": FAR, "limit_scale": 0.0, "horizons": (1.0,)}
    made = Stage(settings_of(**{**quiet, "decision_interval": 1.0, "position_limit": 20, **market})).clear()
    for side, price, shares in ((BID, 9999, 3), (BID, 9999, 2), (BID, 9997, 4), (ASK, 10001, 3), (ASK, 10002, 5)):
        made.add(side, price, shares)
    return made


def decide(made: Stage, *quote: float) -> Stage:
    made.act(*quote)
    made.advance()
    return made


def sell(made: Stage, shares: int) -> None:
    """A market order of others that hits the bids."""
    queues.take(made.s, BID, np.int64(shares), np.int64(-(2**61)), np.int64(0))


def ahead_of_bid(made: Stage) -> int:
    return int(queues.shares_ahead(made.s, made.meta[OWN + BID]))


def shares(made: Stage, price: int) -> list[tuple[int, bool]]:
    return [(size, own) for _, size, own in made.queue(price)]


def test_an_order_joins_the_back_of_its_queue() -> None:
    made = decide(stage(), 4, 0.0, 0, 0.0)
    assert shares(made, 9999) == [(3, False), (2, False), (4, True)]
    assert ahead_of_bid(made) == 5


def test_left_alone_or_reduced_it_keeps_its_place_raised_or_moved_it_goes_to_the_back() -> None:
    made = decide(stage(), 4, 0.0, 0, 0.0)
    made.add(BID, 9999, 7)
    first = [(3, False), (2, False)]
    assert shares(decide(made, 4, 0.0, 0, 0.0), 9999) == [*first, (4, True), (7, False)]
    assert shares(decide(made, 2, 0.0, 0, 0.0), 9999) == [*first, (2, True), (7, False)]
    assert shares(decide(made, 3, 0.0, 0, 0.0), 9999) == [*first, (7, False), (3, True)]
    decide(made, 3, 2 * CENT, 0, 0.0)
    assert shares(made, 9997) == [(4, False), (3, True)] and shares(made, 9999) == [*first, (7, False)]
    assert decide(made, 0, 0.0, 0, 0.0).book_is_without_maker()


def test_fills_in_part_by_time_and_price() -> None:
    made = decide(stage(maker_fee=-0.002), 4, 0.0, 0, 0.0)
    sell(made, 7)
    assert shares(made, 9999) == [(2, True)]
    account = made.account()
    assert (account.inventory, account.bought) == (2, 2)
    assert account.paid == pytest.approx(2 * 99.99 - 2 * 0.002)
    assert account.value == pytest.approx(-2 * 99.99 + 0.004 + 2 * account.mid)


def test_cancellations_ahead_move_it_forward_those_behind_do_not() -> None:
    made = decide(stage(), 1, 0.0, 0, 0.0)
    made.add(BID, 9999, 6)
    ahead, behind = made.s.levels["head"][9999 & (len(made.s.levels) - 1)], None
    behind = made.s.levels["tail"][9999 & (len(made.s.levels) - 1)]
    queues.withdraw(made.s, BID, np.int64(9999), np.int64(behind), np.int64(6))
    assert ahead_of_bid(made) == 5
    queues.withdraw(made.s, BID, np.int64(9999), np.int64(ahead), np.int64(3))
    assert ahead_of_bid(made) == 2


@pytest.mark.parametrize(
    ("origin", "delta", "price"),
    [("best", 0.0, 9999), ("best", CENT, 9998), ("best", -CENT, 10000), ("best", 0.004, 9999), ("mid", 0.0, 10000),
     ("mid", 0.004, 9999), ("mid", CENT, 9999), ("mid", 0.29, 9971)],
)  # fmt: skip
def test_distances_count_from_the_best_or_the_mid(origin: str, delta: float, price: int) -> None:
    made = decide(stage(distance_from=origin), 1, delta, 0, 0.0)
    assert (1, True) in shares(made, price)


def test_post_only_steps_back_to_where_it_rests() -> None:
    made = decide(stage(), 4, -5 * CENT, 0, 0.0)
    assert shares(made, 10000) == [(4, True)] and made.account().inventory == 0


def test_else_a_crossing_order_takes_up_to_its_price_and_the_rest_stands() -> None:
    made = decide(stage(post_only=False, taker_fee=0.003), 5, -2 * CENT, 0, 0.0)
    assert shares(made, 10001) == [(2, True)] and shares(made, 10002) == [(5, False)]
    account = made.account()
    assert (account.bought, account.inventory) == (3, 3)
    assert account.paid == pytest.approx(3 * 100.01 + 3 * 0.003)


def test_quotes_of_one_decision_do_not_meet() -> None:
    """Both give way: at the mid of an even spread a tick each."""
    made = decide(stage(distance_from="mid"), 1, 0.0, 1, 0.0)
    assert shares(made, 9999)[-1] == (1, True) and shares(made, 10001)[-1] == (1, True)
    assert shares(made, 10000) == []
    made = stage(quotes=2)
    made.add(ASK, 10006, 1)
    queues.take(made.s, ASK, np.int64(8), np.int64(2**61), np.int64(0))  # the spread is 7 ticks: 9999 and 10006
    decide(made, 1, -5 * CENT, 1, -5 * CENT, 2, -CENT, 2, -CENT)  # bids at 10004 and 10000, asks at 10001 and 10005
    assert {price: shares(made, price) for price in range(10000, 10006)} == {
        10000: [(2, True)], 10001: [], 10002: [(1, True)], 10003: [(1, True)], 10004: [], 10005: [(2, True)]
    }  # fmt: skip


def test_several_orders_a_side_each_in_its_place() -> None:
    made = decide(stage(quotes=3), 2, 0.0, 0, 0, 1, 0.0, 0, 0, 3, 2 * CENT, 0, 0)
    first = [(3, False), (2, False)]
    assert shares(made, 9999) == [*first, (2, True), (1, True)] and shares(made, 9997) == [(4, False), (3, True)]
    made.add(BID, 9999, 7)
    unchanged = [*first, (2, True), (1, True), (7, False)]
    assert shares(decide(made, 1, 0.0, 0, 0, 2, 0.0, 0, 0, 3, 2 * CENT, 0, 0), 9999) == unchanged  # in another order
    # one more a tick inside; the first of the two at 9999 serves the quote of 1 share, the other is withdrawn
    decide(made, 4, -CENT, 0, 0, 1, 0.0, 0, 0, 3, 2 * CENT, 0, 0)
    assert shares(made, 10000) == [(4, True)] and shares(made, 9999) == [*first, (1, True), (7, False)]
    assert shares(made, 9997) == [(4, False), (3, True)]
    seen = made.observe(len(market_named("order-flow").spec(settings_of(quotes=3, horizons=(1.0,))).columns))
    assert seen[10:19].tolist() == [4, -1, 0, 1, 0, 5, 3, 2, 4] and not seen[19:28].any()
    # raised, it goes to the back; and a market order meets the orders one after another
    decide(made, 4, -CENT, 0, 0, 2, 0.0, 0, 0, 3, 2 * CENT, 0, 0)
    assert shares(made, 9999) == [*first, (7, False), (2, True)]
    sell(made, 17)
    assert made.account().inventory == 5 and shares(made, 9999) == [(1, True)]


def test_the_position_limit_holds_for_all_orders_of_a_side_together() -> None:
    made = decide(stage(quotes=3, position_limit=5), 3, 0.0, 1, 0.0, 3, CENT, 5, 0.0, 2, 2 * CENT, 4, CENT)
    assert [size for price in (9999, 9998, 9997) for size, own in shares(made, price) if own] == [3, 2]
    assert [size for price in (10001, 10002) for size, own in shares(made, price) if own] == [1, 4]


def test_market_orders_pay_the_spread_walk_the_book_and_others_miss_them() -> None:
    made = decide(stage(actions="limit+market", taker_fee=0.001), 0, 0, 0, 0, 5, 0)
    account = made.account()
    assert (account.bought, account.inventory) == (5, 5)
    assert account.paid == pytest.approx(3 * 100.01 + 2 * 100.02 + 5 * 0.001)
    assert shares(made, 10001) == [] and shares(made, 10002) == [(3, False)]
    assert account.mid == pytest.approx(100.005)


def test_its_market_order_withdraws_its_own_resting_order() -> None:
    made = decide(stage(actions="limit+market"), 0, 0, 2, 0.0, 0, 0)
    assert shares(made, 10001) == [(3, False), (2, True)]
    decide(made, 0, 0, 0, 0, 4, 0)
    assert made.account().inventory == 4 and shares(made, 10002) == [(4, False)]
    assert made.book_is_without_maker()


@pytest.mark.parametrize(("n", "sent"), [(20, True), (21, False)])
def test_an_order_that_could_pass_the_position_limit_is_not_sent(n: int, sent: bool) -> None:
    made = decide(stage(), n, 0.0, n, 0.0)
    assert [bool(made.meta[OWN + side] >= 0) for side in (BID, ASK)] == [sent, sent]


def test_its_own_order_does_not_move_the_mid_it_is_paid_by() -> None:
    made = decide(stage(), 1, -CENT, 0, 0.0)
    account = made.account()
    assert account.bid == pytest.approx(100.00) and account.mid == pytest.approx(100.00)


def test_nonsense_is_no_order() -> None:
    for n, delta in ((np.nan, 0.0), (1.0, np.nan), (-3.0, 0.0), (0.4, 0.0)):
        assert decide(stage(), n, delta, n, delta).book_is_without_maker()
    made = decide(stage(), 1, np.inf, np.inf, -np.inf)
    assert made.account().inventory == 0


def test_latency_delays_decisions_in_their_order() -> None:
    made = stage(latency_law="constant", latency=2.5)
    seen = []
    for n in (1, 2, 3, 4, 5):
        decide(made, n, 0.0, 0, 0.0)
        seen.append([size for size, own in shares(made, 9999) if own])
    assert seen == [[], [], [1], [2], [3]]


def test_an_order_left_a_turn_of_the_ring_away_makes_room() -> None:
    made = stage()
    rows = len(made.s.levels)
    made.add(BID, 10000 - rows + 20, 9)
    made.add(ASK, 10020, 1)
    assert shares(made, 10020) == [(1, False)] and shares(made, 10020 - rows) == []
    assert sum(len(queue) for side in made.sides() for queue in side.values()) == 6


def test_the_last_step_closes_the_position_through_the_book() -> None:
    """7 shares: 5 at 9999 and 2 at 9997, less the fee; the own bid at 9998 is withdrawn first."""
    made = stage(nt=2, taker_fee=0.003)
    made.numbers[INVENTORY] = 7
    decide(made, 1, CENT, 1, CENT)
    assert made.account().inventory == 7 and shares(made, 9998) == [(1, True)]
    decide(made, 1, CENT, 1, CENT)
    assert made.account().inventory == 0 and made.book_is_without_maker()
    assert made.account().cash == pytest.approx(5 * 99.99 + 2 * 99.97 - 7 * 0.003, abs=1e-9)
    assert shares(made, 9997) == [(2, False)]


def test_what_the_book_does_not_take_stays_and_without_closing_all_does() -> None:
    made = stage(nt=1)
    made.numbers[INVENTORY] = -11
    assert decide(made, 0, 0.0, 0, 0.0).account().inventory == -3
    made = stage(nt=1, close_at_end=False)
    made.numbers[INVENTORY] = 7
    assert decide(made, 2, 0.0, 0, 0.0).account().inventory == 7
    assert shares(made, 9999) == [(3, False), (2, False), (2, True)]


def test_the_tape_has_whole_numbers_where_orders_keep_the_lower_half() -> None:
    made, first = Stage(settings_of(), tape=10).clear(), 2**33 - 1
    made.meta[state.NEXT_NUMBER] = first
    for _ in range(2):
        made.add(BID, 9999, 10**9)
    sell(made, 10**9 + 1)
    assert made.tape()[:, ORDER].tolist() == [first, first + 1, first, first + 1]
    assert made.tape()[:, SIZE].tolist() == [10**9, 10**9, 10**9, 1]
