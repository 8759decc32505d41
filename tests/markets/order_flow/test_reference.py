"""The compiled order flow equals a slow, obvious one, message by message, while the maker acts at random."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmrl.markets.contract import market_named
from mmrl.markets.order_flow import state
from tests.conftest import COMPLETE
from tests.markets.order_flow.reference import ReferenceMarket
from tests.markets.order_flow.stage import Stage, settings_of

TABLES = {
    "queue_sizes": 3,
    "limit_rates": (2.5, 2.0, 1.6, 1.2, 1.8, 1.6, 1.4, 1.1),
    "cancel_rates": (0.0, 0.5, 0.6, 0.7, 0.0, 0.4, 0.7, 0.8),
    "market_rates": (0.0, 0.6, 0.9, 1.3),
    "levels": 12,
}
MATRIX = (
    0.10, 0.05, 0.10, 0.02, 0.00, 0.05,
    0.05, 0.10, 0.02, 0.00, 0.08, 0.03,
    0.02, 0.05, 0.20, 0.01, 0.00, 0.10,
    0.08, 0.02, 0.05, 0.00, 0.10, 0.00,
    0.02, 0.15, 0.10, 0.05, 0.00, 0.02,
    0.00, 0.02, 0.15, 0.03, 0.00, 0.05,
)  # fmt: skip
"""Two exponentials: rows limit orders, cancellations, market orders."""
REDRAWN = {
    "depletion": "redraw",
    "redraw_weights": (3.0, 2.0, 0.0, 1.0),
    "levels": 1,
    "limit_rates": (1.2,),
    "cancel_rates": (0.5,),
    "market_rates": (1.0,),
    "decision_events": 1,
}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "geometric sizes": {"size_law": "geometric", "limit_size": 4.0, "market_size": 9.0, "position_limit": 60},
    "sizes from tables": {"size_law": "table", "limit_size_table": (1, 0, 3), "market_size_table": (5, 2, 1, 0, 0, 1)},
    "thin book": {"levels": 1, "limit_rates": (0.6,), "cancel_rates": (0.5,), "market_rates": (1.5,)},
    "queue-reactive": {**TABLES, "size_law": "geometric", "limit_size": 2.0, "market_size": 2.0},
    "spread and queue": {"market_law": "spread-queue", "market_intensity": (1.2, -0.8, 0.1, -0.4, 0.2, 0.1)},
    "excited": {"hawkes_decays": (0.5, 20.0), "hawkes_same": (0.2, 0.4), "hawkes_cross": (0.1, 0.2)},
    "efficient price": {"efficient_price": "random-walk", "informed": 0.7},
    "reverting price": {"efficient_price": "ornstein-uhlenbeck", "efficient_volatility": 3.0, "informed": 0.3},
    "all informed": {"efficient_price": "random-walk", "informed": 0.7, "informed_orders": "all", **TABLES},
    "some informed": {"efficient_price": "random-walk", "informed": 2.0, "informed_share": 0.6},
    "all informed, all excited": {
        "efficient_price": "random-walk",
        "efficient_volatility": 4.0,
        "informed": 30.0,
        "informed_orders": "all",
        "hawkes_kinds": "all",
        "hawkes_decays": (20.0, 60.0),
        "hawkes_matrix": MATRIX,
    },
    "late": {"latency_law": "constant", "latency": 0.3, "decide_by": "time", "decision_interval": 0.2},
    "market orders": {"actions": "limit+market", "distance_from": "mid", "post_only": False, "position_limit": 5},
    "late at random": {"latency_law": "exponential", "latency": 0.3, "decide_by": "time", "decision_interval": 0.2},
    "several orders": {"quotes": 3, "position_limit": 12, "size_law": "geometric", "market_size": 4.0},
    "several orders that take": {
        "quotes": 2,
        "post_only": False,
        "actions": "limit+market",
        "distance_from": "mid",
        "latency_law": "constant",
        "latency": 0.1,
        "decide_by": "time",
        "decision_interval": 0.3,
    },
    "all excited": {"hawkes_kinds": "all", "hawkes_decays": (20.0, 60.0), "hawkes_matrix": MATRIX, "quotes": 2},
    "excited in a thin book": {
        "hawkes_kinds": "all",
        "hawkes_decays": (2.0,),
        "hawkes_matrix": MATRIX[:18],
        "levels": 1,
        "limit_rates": (0.6,),
        "cancel_rates": (0.5,),
        "market_rates": (0.4,),
    },
    "redrawn": REDRAWN,
    "redrawn, late": {
        **REDRAWN,
        "size_law": "geometric",
        "limit_size": 2.0,
        "market_size": 3.0,
        "position_limit": 30,
        "latency_law": "constant",
        "latency": 0.2,
    },
    "fees": {"maker_fee": -0.002, "taker_fee": 0.003, "actions": "limit+market", "post_only": False},
}
DECISIONS = 850 if COMPLETE else 300
"""About ten events apart: with ten seeds 10^6 events in all cases together, else some 5 * 10^4."""


def random_quote(rng: np.random.Generator, last: tuple[float, ...], axes: int) -> tuple[float, ...]:
    """Often as before, reduced, raised or moved."""
    quote = list(last)
    for pair in range(axes // 4 * 2):
        if rng.random() < 0.4:
            quote[2 * pair] = float(rng.integers(0, 7))
        if rng.random() < 0.4:
            quote[2 * pair + 1] = float(rng.integers(-3, 5)) * 0.01
    for a in range(axes // 4 * 4, axes):
        quote[a] = float(rng.integers(1, 7)) if rng.random() < 0.15 else 0.0
    return tuple(quote)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 11))])
@pytest.mark.parametrize("case", CASES)
def test_equal_message_by_message(case: str, seed: int) -> None:
    settings = settings_of(**{"decide_by": "events", "nt": DECISIONS, **CASES[case]})
    spec = market_named("order-flow").spec(settings)
    fast = Stage(settings, seed, tape=60 * DECISIONS).reset()
    slow = ReferenceMarket(settings, seed)
    rng = np.random.default_rng(seed)
    quote: tuple[float, ...] = (0.0,) * len(spec.axes)
    for step in range(DECISIONS):
        before, worth = slow.inventory, slow.revaluation
        if step % 50 == 0:
            seen, expected = fast.observe(len(spec.columns)), slow.observation(1 - step / settings.nt)
            np.testing.assert_allclose(seen, expected, atol=1e-5, rtol=1e-5)
        quote = random_quote(rng, quote, len(spec.axes))
        delay = settings.latency if settings.latency_law != "none" else 0.0
        if settings.latency_law == "exponential":
            delay *= -math.log(1 - slow.draw())
        slow.decide(quote, delay)
        fast.act(*quote)
        fast.advance()
        if settings.decide_by == "time":
            slow.live(end=(step + 1) * settings.decision_interval)
        else:
            slow.live(events=settings.decision_events)
        if step + 1 == DECISIONS:
            slow.close()
        account = fast.account()
        assert account.inventory == slow.inventory
        assert account.bought - account.sold == slow.inventory - before
        assert fast.numbers[state.CASH] == slow.cash
        assert abs(slow.inventory) <= settings.position_limit
        assert account.revaluation == pytest.approx((slow.revaluation - worth) * settings.tick, abs=1e-9)
        assert account.mid == pytest.approx(slow.mid * settings.tick, rel=1e-12)
    assert fast.account().inventory == slow.inventory
    if settings.depletion == "next-price":
        assert slow.inventory == 0 or slow.first(0 if slow.inventory > 0 else 1) is None, "the book could take more"
    parts = fast.split()
    for part, ticks in zip(parts[1:], slow.final_parts, strict=True):
        assert part == pytest.approx(ticks * settings.tick, abs=1e-9)
    assert parts[3] != 0 and slow.made > 0 and (slow.taken > 0 or settings.post_only)
    same_tape(fast, slow)
    same_book(fast, slow)
    assert -parts[0] == pytest.approx(settings.maker_fee * slow.made + settings.taker_fee * slow.taken, abs=1e-9)
    fees = settings.maker_fee * slow.made + settings.taker_fee * slow.taken
    assert fast.account().cash == pytest.approx(slow.cash * settings.tick - fees, abs=1e-6)


def same_tape(fast: Stage, slow: ReferenceMarket) -> None:
    found, expected = (
        fast.tape(),
        np.array([(*row, *book) for row, book in zip(slow.tape, slow.tape_book, strict=True)]),
    )
    for row in range(min(len(found), len(expected))):
        assert found[row, 1:].tolist() == expected[row].tolist(), f"message {row} of {len(expected)}"
    assert len(found) == len(expected)
    np.testing.assert_allclose(found[:, 0], slow.tape_times, rtol=1e-9)
    assert (expected[:, 6] > expected[:, 8]).all(), "the book is crossed"


def same_book(fast: Stage, slow: ReferenceMarket) -> None:
    for side, queues in enumerate(fast.sides()):
        expected = {
            price: [(order.number, order.shares, order.maker) for order in queue]
            for price, queue in slow.queues[side].items()
        }
        assert queues == expected
        for queue in queues.values():
            assert [order[0] for order in queue] == sorted(order[0] for order in queue), "first come, first served"
    assert fast.s.book["excitation"].sum(1).tolist() == pytest.approx(slow.excitation(), rel=1e-9, abs=1e-12)
