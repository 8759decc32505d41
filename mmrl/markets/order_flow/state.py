"""The parameters and the state of an order flow, and where what stands in the state's arrays.

Prices are whole ticks, sizes whole shares, times minutes. The mid is counted in half ticks: bid + ask.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.jit import record_type
from mmrl.markets.order_flow.checks import MOST_UNDER_WAY
from mmrl.markets.order_flow.hawkes import branching_numbers
from mmrl.markets.order_flow.settings import AFTER, MOST_EXPONENTIALS, MOST_HORIZONS, MOST_QUOTES, Settings

NO_ROWS = np.empty((0, 4), np.int32)
NO_TAPE = np.empty((0, 7))

# Typed, since a function would be compiled once more for every plain constant that it is called with.
BID: Any = np.int64(0)
ASK: Any = np.int64(1)
OTHERS: Any = np.int64(0)
MAKER: Any = np.int64(1)
# Book.meta: best price of others, their orders, the first of the maker's orders (-1: none) and its price, how many it
# has, each for (bid, ask); then free orders, first unused order, next number, efficient price and its start in half
# ticks, steps, rows of the tape and of the recording, whether the tape runs, mid, decisions under way and whether the
# newest awaits its delay; horizons of the signals; events of others so far, and the oldest and one beyond the newest of
# Book.fills; whether orders of a side have changed since its rates were counted, and the best prices they were counted
# with.
BEST, COUNT, OWN, OWN_PRICE, OWN_COUNT = 0, 2, 4, 6, 8
FREE, FRESH, NEXT_NUMBER, EFFICIENT, ANCHOR, STEP, TAPED, NOTED, LIVE, MID, UNDER_WAY, NEW, SPANS = range(10, 23)
EVENTS, OLDEST, NEWEST = range(23, 26)
CHANGED, COUNTED_WITH = 26, 28
META = 30
# Book.account: what stands (ticks, shares), then the flows of the step. MADE and TAKEN count the shares that pay the
# fee of a maker and of a taker.
CASH, INVENTORY, MADE, TAKEN, CASH_BEFORE, MADE_BEFORE, TAKEN_BEFORE = range(7)
BOUGHT, SOLD, PAID, RECEIVED, BOUGHT_TAKING, SOLD_TAKING, REVALUATION = range(7, 14)
QUOTED_BID, QUOTED_ASK = 14, 15
ADVERSE = 16  # for each of AFTER: filled shares, bought above and sold below 0, times half ticks of the mid after them
ACCOUNT = ADVERSE + len(AFTER)
# Book.fills: a ring of the fills that are not older than AFTER, one for an event: its number, shares bought less sold.
FILLED_AT, FILLED = range(2)
FILLS = 128
"""More than AFTER's last, a power of 2."""
# Book.times
NOW, BEGAN, FADED, SENT = range(4)
TIMES = 4
# Book.rates: by kind of event, the side's two after each other; a market order has the side that it hits.
LIMIT, CANCEL, MARKET, DRIFT = 0, 2, 4, 6
KINDS = 8
# Book.signals: shares bought less sold by market orders, and ticks of the mid, fading over a horizon, and this.
FLOW, MOVE, HORIZON = range(3)

NOWHERE = np.int64(-(2**62))
"""The price of a level that was never used."""
CONSTANT, GEOMETRIC, TABLE = range(3)
OF_LIMIT_ORDERS: Any = np.int64(0)
OF_MARKET_ORDERS: Any = np.int64(1)
"""Rows of Parameters.sizes."""
OWNED = 2 * MOST_QUOTES
"""First rows of State.orders, which are kept for the maker: those of bids, then those of asks."""
NUMBERS_OF_A_DECISION = 4 * MOST_QUOTES + 2
SHARES, PRICE = 0, 1
"""Columns of Book.wanted."""

# Few arguments, many numbers: what has one size whatever the settings is a record, which functions pass as one pointer.
LEVEL = record_type([(name, np.int64) for name in ("price", "shares", "orders", "head", "tail")])
"""A price: all shares there, orders of others, first and last order."""
ORDER = record_type([*((name, np.int32) for name in ("shares", "next", "previous")), ("number", np.uint32)])
"""An order: its shares, the orders behind and before it, the lower half of its number, which rises in time.

Small, since the orders of a thousand books have to fit into the caches. No order has more shares than
`arrivals.MOST_SHARES` + 1, and no more rest than `checks.MOST_ORDERS` allows."""
BOOK = record_type(
    [  # what every event uses first
        ("meta", np.int64, (META,)),
        ("times", np.float64, (TIMES,)),
        ("rates", np.float64, (KINDS,)),
        ("background", np.float64, (DRIFT,)),  # the rates without excitation and leaning
        ("account", np.int64, (ACCOUNT,)),
        ("signals", np.float64, (MOST_HORIZONS, 3)),
        ("own", np.int64, (2, MOST_QUOTES)),  # the maker's orders of a side, first to be filled first
        ("own_price", np.int64, (OWNED,)),  # by row of the orders
        ("wanted", np.int64, (2, MOST_QUOTES, 2)),  # shares and prices of the quotes of the decision that takes effect
        ("effect", np.float64, (MOST_UNDER_WAY,)),  # when the decisions under way take effect
        ("under_way", np.float64, (MOST_UNDER_WAY, NUMBERS_OF_A_DECISION)),
        ("excitation", np.float64, (DRIFT, MOST_EXPONENTIALS)),  # of each kind of event, numbered as the rates
        ("fills", np.int64, (FILLS, 2)),
    ]
)
RULES = record_type(
    [
        ("rows", np.int64),  # prices that the ring of levels has room for, a power of 2
        ("room", np.int64),  # orders that can rest at once
        ("mid", np.int64),  # ticks, about which the book is seeded
        ("tick", np.float64),  # currency
        ("distances", np.int64),  # D, that the tables of rates cover
        ("columns", np.int64),  # C, sizes of a queue that they tell apart
        ("unit", np.float64),  # shares that count as 1 in the size of a queue
        ("by_spread", np.int64),  # market orders follow `intensity`, not the table
        ("intensity", np.float64, (6,)),
        ("size_law", np.int64),
        ("exponentials", np.int64),
        ("decays", np.float64, (MOST_EXPONENTIALS,)),
        ("first_excited", np.int64),  # the first kind of event that is excited; those after it are too
        # by which an event of a kind (second index) raises the rate of a kind (first), on its own and the other side
        ("jumps", np.float64, (DRIFT // 2, DRIFT // 2, 2, MOST_EXPONENTIALS)),
        ("efficient_rate", np.float64),  # jumps of the efficient price by a tick, up or down
        ("efficient_pull", np.float64),  # by which a jump back is likelier, per tick from the start
        ("informed", np.float64),
        ("informed_share", np.float64),
        ("all_informed", np.int64),  # limit orders and cancellations lean too
        ("redraws", np.int64),  # a best queue that runs empty moves the price, and both are drawn anew
        ("warm_up", np.float64),
        ("interval", np.float64),  # from one decision to the next; infinite if events decide
        ("events", np.int64),  # from one decision to the next; out of reach if time decides
        ("latency", np.float64),
        ("latency_drawn", np.int64),
        ("from_mid", np.int64),
        ("quotes", np.int64),  # orders of the maker a side
        ("takes", np.int64),  # the maker can send market orders
        ("post_only", np.int64),
        ("maker_fee", np.float64),
        ("taker_fee", np.float64),
        ("position_limit", np.int64),
        ("close_at_end", np.int64),
        ("reach", np.int64),  # ticks from the best price beyond which the maker does not quote
        ("depth", np.int64),
        ("spans", np.int64),  # horizons of the signals
        ("horizons", np.float64, (MOST_HORIZONS,)),
        ("steps", np.int64),
        ("every", np.int64),  # steps from one record of the book to the next
    ]
)


class Parameters(NamedTuple):
    """The numbers and rules of an order flow."""

    rules: Any
    """A record of RULES."""
    tables: np.ndarray
    """float64 [2 D + 1, C], by the size of the queue: limit rates at D distances, cancel rates of one order there, and
    the rate of market orders."""
    far: np.ndarray
    """float64 [levels - D], sums of the limit rates beyond the tables."""
    sizes: np.ndarray
    """float64 [2, K], of limit and market orders: the size, ln(1 - 1/mean), or sums of the weights."""
    tape: np.ndarray
    """float64 [M, 7 + 4 L], where the tape is written (`tape.message`); without room none is."""
    redrawn: np.ndarray
    """float64 [K], sums of the weights of new queues of 1, 2, ... K orders."""
    changes: np.ndarray
    """int32 [M, 4], where a recording of the book is written (`tape.note_levels`); without room none is."""


class State(NamedTuple):
    """One book and its maker."""

    used_from_start = ("book", "orders")  # type: ignore[misc]  # no field
    """Parts whose first bytes every step uses: an environment asks for those of the next copy while one plays."""

    book: Any  # a record of BOOK
    levels: np.ndarray  # LEVEL [rows]
    orders: np.ndarray  # ORDER [room]
    tape: np.ndarray  # as in Parameters
    known: np.ndarray  # int64 [rows or 0, 3], the levels as recorded last: price, shares, the maker's


def parameters(
    market: Settings, every: int = 1, changes: np.ndarray = NO_ROWS, tape: np.ndarray = NO_TAPE
) -> Parameters:
    """The parameters of a market's settings.

    With `changes` int32 [M, 4] the book is recorded at decisions; with a `tape` float64 [M, 7 + 4 L] every message and
    the L best levels after it are.
    """
    m = market
    tables = np.zeros((2 * m.fitted + 1, m.columns))
    tables[: m.fitted] = np.reshape(m.limit_rates, (m.fitted, m.columns))
    tables[m.fitted : -1] = np.reshape(m.cancel_rates, (m.fitted, m.columns))
    if m.market_law == "table":
        tables[-1] = m.market_rates
    rules = np.zeros(1, RULES)[0]
    for name, value in _rules(m).items():
        if np.ndim(value):
            value = np.array(value, float)
            rules[name][tuple(slice(n) for n in value.shape)] = value
        else:
            rules[name] = value
    rules["every"] = every
    far = np.cumsum(m.far_rates) if m.far_rates else np.zeros(0)
    redrawn = np.cumsum(m.redraw_weights) / math.fsum(m.redraw_weights)
    return Parameters(rules, tables, far, _sizes(m), tape, redrawn, changes)


def _rules(m: Settings) -> dict[str, Any]:
    moves = m.efficient_price != "none" and m.informed > 0
    reverts = m.efficient_price == "ornstein-uhlenbeck"
    decays = np.array(m.hawkes_decays, np.float64)
    same = ("tick", "columns", "unit", "warm_up", "maker_fee", "taker_fee", "position_limit", "depth")
    return {
        **{name: getattr(m, name) for name in same},
        "rows": 2 ** math.ceil(math.log2(8 * m.levels + 512)),
        "room": int(m.room) + OWNED,
        "mid": round(m.midprice / m.tick),
        "distances": m.fitted,
        "by_spread": m.market_law == "spread-queue",
        "intensity": m.market_intensity,
        "size_law": {"constant": CONSTANT, "geometric": GEOMETRIC, "table": TABLE}[m.size_law],
        "exponentials": len(decays),
        "decays": decays,
        "first_excited": LIMIT if m.hawkes_kinds == "all" else MARKET,
        "jumps": branching_numbers(m) * decays,
        "efficient_rate": m.efficient_volatility**2 if moves else 0.0,
        "efficient_pull": m.efficient_reversion / m.efficient_volatility**2 if reverts else 0.0,
        "informed": m.informed if moves else 0.0,
        "informed_share": m.informed_share,
        "all_informed": moves and m.informed_orders == "all",
        "redraws": m.depletion == "redraw",
        "interval": m.decision_interval if m.decide_by == "time" else math.inf,
        "events": m.decision_events if m.decide_by == "events" else 2**62,
        "latency": m.latency if m.latency_law != "none" else 0.0,
        "latency_drawn": m.latency_law == "exponential",
        "from_mid": m.distance_from == "mid" and m.depletion == "next-price",
        "quotes": m.quotes,
        "close_at_end": m.close_at_end and m.depletion == "next-price",
        "takes": m.actions == "limit+market",
        "post_only": m.post_only,
        "reach": 4 * m.levels,
        "horizons": m.horizons,
        "spans": len(m.horizons),
        "steps": m.nt,
    }


def _sizes(m: Settings) -> np.ndarray:
    if m.size_law == "table":
        tables = (m.limit_size_table, m.market_size_table)
        sums = np.ones((2, max(map(len, tables))))
        for row, weights in zip(sums, tables, strict=True):
            row[: len(weights)] = np.cumsum(weights) / math.fsum(weights)
        return sums
    means = np.array([[m.limit_size], [m.market_size]])
    if m.size_law == "constant":
        return means
    with np.errstate(divide="ignore"):
        return np.log1p(-1.0 / means)


def memory(p: Parameters) -> State:
    """The memory of one trajectory; the kernel makes the same."""
    recorded = int(p.rules["rows"]) if len(p.changes) else 0
    return State(
        np.zeros(1, BOOK)[0],
        np.zeros(p.rules["rows"], LEVEL),
        np.zeros(p.rules["room"], ORDER),
        p.tape,
        np.zeros((recorded, 3), np.int64),
    )
