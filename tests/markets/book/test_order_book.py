"""The compiled book against the slow reference book, operation by operation, and its ledger."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.markets.book.limit_order_book import LimitOrderBook
from mmrl.markets.book.order_book import BID, MAKER, MOST, OTHERS, rest
from tests.conftest import COMPLETE
from tests.markets.book.reference_book import ReferenceBook

LOW, HIGH = 960, 1040
OTHER = {"bid": "ask", "ask": "bid"}
# Operations: (kind, side, shares, price, owner); a market order hits `side`, the price is its limit.
KINDS = ("place", "market", "limited", "cancel")
Operation = tuple[str, str, int, int, str]


def apply(book: LimitOrderBook, operation: Operation) -> int:
    kind, side, shares, price, owner = operation
    if kind == "place":
        return (book.bid if side == "bid" else book.ask)(shares, price, owner)
    if kind == "cancel":
        return book.cancel(side, shares, price)
    return (book.sell if side == "bid" else book.buy)(shares, price if kind == "limited" else None)


def apply_slow(slow: ReferenceBook, operation: Operation) -> int:
    kind, side, shares, price, owner = operation
    if kind == "place":
        return slow.place(side, shares, price, owner)
    if kind == "cancel":
        return slow.cancel(side, shares, price)
    return slow.take(side, shares, price if kind == "limited" else (LOW if side == "bid" else HIGH), "others")


def check(book: LimitOrderBook, slow: ReferenceBook, before: tuple[int, int], operation: Operation, done: int) -> None:
    """Account, best quotes and totals are equal, no share is lost or made, and the book is not crossed."""
    assert (book.cash, book.inventory) == (slow.cash, slow.inventory)
    kind, side, shares, _, _ = operation
    now = []
    for name, levels in slow.sides.items():
        lots = [lot for level in levels.values() for lot in level]
        total, own = sum(n for n, _ in lots), sum(n for n, o in lots if o == "maker")
        assert book.shares(name) == (total, own)
        edge = (max if name == "bid" else min)(levels) if levels else None
        assert book.best(name) == (None if edge is None else (edge, sum(n for n, _ in levels[edge])))
        now.append(total)
    moved = {side: shares - done, OTHER[side]: -done} if kind == "place" else {side: -done, OTHER[side]: 0}
    assert now == [before[0] + moved["bid"], before[1] + moved["ask"]]
    bid, ask = book.best("bid"), book.best("ask")
    assert bid is None or ask is None or bid[0] < ask[0]


def check_depth(book: LimitOrderBook, slow: ReferenceBook) -> None:
    for side in ("bid", "ask"):
        assert book.depth(side) == slow.depth(side)
        for price, lots in slow.sides[side].items():
            assert book.lots(price) == [(n, owner) for n, owner in lots]
            assert all(n > 0 for n, _ in lots)


def random_operations(rng: np.random.Generator, count: int) -> list[Operation]:
    """A mixture that differs from one call to the next: deep and thin books, many and few ties and cancels."""
    placing, cancelling = rng.uniform(0.3, 0.75), rng.uniform(0.2, 0.8)
    rest = 1.0 - placing
    weights = [placing, rest * (1 - cancelling) / 2, rest * (1 - cancelling) / 2, rest * cancelling]
    kinds = rng.choice(4, count, p=weights)
    sides = rng.integers(0, 2, count)
    shift = np.where(sides == 0, -1, 1) * rng.uniform(0, 8)  # how far the two sides stand apart
    prices = (1000 + shift + rng.normal(0, rng.uniform(2, 12), count)).astype(int).clip(LOW, HIGH)
    shares = rng.integers(1, int(rng.choice([3, 10, 60])), count)
    shares = np.where(kinds == 0, shares, shares * int(rng.choice([1, 3])))
    makers = rng.random(count) < rng.uniform(0.2, 0.8)
    columns = (kinds.tolist(), sides.tolist(), shares.tolist(), prices.tolist(), makers.tolist())
    return [
        (KINDS[k], ("bid", "ask")[side], n, price, "maker" if maker else "others")
        for k, side, n, price, maker in zip(*columns, strict=True)
    ]


PARTS = 250 if COMPLETE else 60
"""Of 2 000 operations each."""


@pytest.mark.parametrize("priority", ["time", "size"])
def test_random_operations_agree_with_the_reference(priority: str) -> None:
    rng = np.random.default_rng(7)
    seen: Counter[str] = Counter()
    for part in range(PARTS):
        book, slow = LimitOrderBook(LOW, HIGH, priority), ReferenceBook(priority)
        before = (0, 0)
        for i, operation in enumerate(random_operations(rng, 2000)):
            cash = book.cash
            done, wanted = apply(book, operation), apply_slow(slow, operation)
            assert done == wanted, f"part {part}, operation {i}: {operation}"
            try:
                check(book, slow, before, operation, done)
                if i % 50 == 0:
                    check_depth(book, slow)
            except AssertionError as error:
                raise AssertionError(f"part {part}, operation {i}: {operation}") from error
            before = (book.shares("bid")[0], book.shares("ask")[0])
            seen[operation[0]] += done > 0
            seen["deep"] += before[0] > 100 and before[1] > 100
            seen["paid"] += book.cash != cash
    assert all(seen[kind] > 80 * PARTS for kind in (*KINDS, "deep", "paid")), seen  # the mixture covers what it claims


prices = st.integers(LOW, LOW + 6)
operations = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(["bid", "ask"]),
        st.integers(1, 9),
        prices,
        st.sampled_from(["maker", "others"]),
    ),
    max_size=25,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(operations, st.sampled_from(["time", "size"]))
def test_short_sequences_agree_with_the_reference(sequence: list[Operation], priority: str) -> None:
    book, slow = LimitOrderBook(LOW, HIGH, priority), ReferenceBook(priority)
    for operation in sequence:
        before = (book.shares("bid")[0], book.shares("ask")[0])
        done = apply(book, operation)
        assert done == apply_slow(slow, operation)
        check(book, slow, before, operation, done)
        check_depth(book, slow)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(operations, st.sampled_from(["time", "size"]))
def test_every_cent_and_share_is_accounted_for(sequence: list[Operation], priority: str) -> None:
    """The maker's account changes by what has left the levels between two looks, and by nothing else."""
    book = LimitOrderBook(LOW, HIGH, priority)
    for operation in sequence:
        kind, side, _, _, owner = operation
        hit = OTHER[side] if kind == "place" else side
        before = book.depth(hit)
        cash, inventory = book.cash, book.inventory
        apply(book, operation)
        after = {price: (total, own) for price, total, own in book.depth(hit)}
        sign = 1 if hit == "ask" else -1  # asks of the maker that are hit are sold by it
        traded = paid = 0
        if kind != "cancel":
            for price, total, own in before:
                left, left_own = after.get(price, (0, 0))
                gone_own, gone_others = own - left_own, (total - own) - (left - left_own)
                shares = -gone_others if kind == "place" and owner == "maker" else gone_own
                traded += shares
                paid += shares * price
        assert book.inventory == inventory - sign * traded
        assert book.cash == cash + sign * paid


def test_maker_meeting_itself_moves_no_cash() -> None:
    book = LimitOrderBook(0, 100)
    book.ask(5, 50, "maker")
    assert book.bid(3, 55, "maker") == 3
    assert (book.cash, book.inventory) == (0, 0)
    assert book.best("ask") == (50, 2) and book.best("bid") is None


def test_maker_meeting_others_trades_at_their_prices() -> None:
    book = LimitOrderBook(0, 100)
    book.ask(5, 50)
    book.ask(5, 52)
    assert book.bid(7, 52, "maker") == 7
    assert (book.cash, book.inventory) == (-(5 * 50 + 2 * 52), 7)
    assert book.depth("ask") == [(52, 3, 0)] and book.depth("bid") == []


def test_time_priority_serves_first_come_and_size_priority_the_smallest() -> None:
    cases = (("time", [(1, "others"), (2, "maker")], 0), ("size", [(3, "others")], 2 * 50))
    for priority, left, cash in cases:  # by size the maker's two go first, then one of the four
        book = LimitOrderBook(0, 100, priority)
        book.ask(4, 50, "others")
        book.ask(2, 50, "maker")
        assert book.buy(3) == 3
        assert book.lots(50) == left
        assert (book.cash, book.inventory) == (cash, -cash // 50)


def test_an_order_joins_the_last_lot_only_of_its_own_owner_also_after_a_withdrawal() -> None:
    book = LimitOrderBook(1, 20)
    book.bid(100, 10)
    book.bid(50, 10, "maker")
    book.bid(5, 10, "maker")
    assert book.lots(10) == [(100, "others"), (55, "maker")]
    assert book.cancel("bid", 55, 1) == 55
    book.bid(30, 10, "maker")
    assert book.lots(10) == [(100, "others"), (30, "maker")]
    book.bid(7, 10)
    assert book.cancel("bid", 30, 1) == 30  # between two lots of others
    book.bid(8, 10)
    assert book.lots(10) == [(100, "others"), (15, "others")]


def test_bad_orders_are_refused() -> None:
    book = LimitOrderBook(0, 100)
    with pytest.raises(ValueError):
        book.bid(0, 50)
    with pytest.raises(ValueError):
        book.ask(1, 101)


def test_a_price_has_room_for_so_many_shares() -> None:
    book = LimitOrderBook(0, 100)
    book.bid(2**31 - 5, 50)
    book.bid(4, 50, "maker")
    with pytest.raises(ValueError, match="at 50 there is room for 0"):
        book.bid(1, 50)
    book.bid(2**31 - 1, 49)  # each price has its own
    assert book.depth("bid") == [(50, 2**31 - 1, 4), (49, 2**31 - 1, 0)]
    assert book.shares("bid") == (2**32 - 2, 4)
    assert book.sell(2**31 + 7) == 2**31 + 7
    assert book.depth("bid") == [(49, 2**31 - 9, 0)]
    assert (book.cash, book.inventory) == (-200, 4)


@pytest.mark.parametrize("first, second, kept", [(MOST - 3, 5, 3), (MOST, 5, 0), (MOST - 5, 5, 5)])
def test_what_a_level_has_no_room_for_is_refused(first: int, second: int, kept: int) -> None:
    book = LimitOrderBook(0, 100)
    rest(book._book, BID, 50, first, OTHERS)
    rest(book._book, BID, 50, second, MAKER)
    assert book.lots(50) == [(first, "others"), (kept, "maker")][: 1 + (kept > 0)]
    assert book.shares("bid") == (first + kept, kept)
    assert book.best("bid") == (50, first + kept)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_an_order_needs_room_only_for_what_rests(side: str) -> None:
    mine, others = ("bid", "ask") if side == "bid" else ("ask", "bid")
    price = 10 if side == "bid" else 90
    book = LimitOrderBook(0, 100)
    place, meet = getattr(book, mine), getattr(book, others)
    meet(int(MOST), 50)
    assert place(11, 50) == 11  # there is no room, and none is needed
    meet(11, 50)
    assert place(int(MOST) + 7, 50) == MOST
    assert book.best(mine) == (50, 7) and book.best(others) is None
    with pytest.raises(ValueError, match=f"at 50 there is room for {MOST - 7}$"):
        place(int(MOST) - 6, 50)
    place(int(MOST), price)
    assert book.shares(mine) == (int(MOST) + 7, 0)
    with pytest.raises(ValueError, match=f"at {price} there is room for 0$"):
        place(1, price)


def test_orders_of_any_size_take_what_is_there() -> None:
    book = LimitOrderBook(10**30, 10**30 + 5)
    book.ask(7, 10**30 + 3, "maker")
    assert book.cancel("ask", 10**40, 10**40) == 7
    book.ask(7, 10**30 + 3, "maker")
    assert book.buy(10**40, -(10**40)) == 0
    assert book.buy(10**40, 10**40) == 7
    assert (book.cash, book.inventory) == (7 * (10**30 + 3), -7)
