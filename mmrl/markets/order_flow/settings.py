"""The settings of the order flow: the traders of the background, the maker's rules, what it sees and what actions mean.

Times are minutes, rates are per minute, prices and distances in ticks, sizes in shares, fees in currency.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from mmrl.markets.order_flow.checks import fault
from mmrl.settings.declare import option, when
from mmrl.settings.market import MOST_TICKS, MarketSettings, too_fine

if TYPE_CHECKING:
    from mmrl.settings.model import Config

_GAUSSIAN = when("the policy is categorical", {"policy.kind": "gaussian"})
_CATEGORICAL = when("the policy is gaussian", {"policy.kind": "categorical"})
_TABLE = when("the rate of market orders follows market.market_intensity", {"market.market_law": "table"})
_INTENSITY = when("the rate of market orders follows market.market_rates", {"market.market_law": "spread-queue"})
_MEAN = when("sizes are drawn from tables", {"market.size_law": ("constant", "geometric")})
_SIZES = when("sizes are not drawn from tables", {"market.size_law": "table"})
_BY_TIME = when("the maker decides by events", {"market.decide_by": "time"})
_BY_EVENTS = when("the maker decides by time", {"market.decide_by": "events"})
_EFFICIENT = when("there is no efficient price", {"market.efficient_price": ("random-walk", "ornstein-uhlenbeck")})
_REVERTING = when("the efficient price does not revert", {"market.efficient_price": "ornstein-uhlenbeck"})
_LATE = when("there is no latency", {"market.latency_law": ("constant", "exponential")})
_FREE = when("the maker can only join the best price", {"market.depletion": "next-price"})
_DEEP = when("behind the best price there are no orders to close with", {"market.depletion": "next-price"})
_REDRAWN = when("no queue is drawn anew", {"market.depletion": "redraw"})
_TAKING = when("the maker sends no market orders", {"market.actions": "limit+market"})

MOST_QUOTES = 5
MOST_EXPONENTIALS = 8
MOST_HORIZONS = 10
AFTER = (1, 10, 100)
"""Events of others over which the moves of the mid after a fill are summed; the event that fills is the first."""
MOST_REDRAWN = 50
"""Orders of a queue that is drawn anew."""
_LAYERED = when("the maker has one order a side", {"market.quotes": tuple(range(2, MOST_QUOTES + 1))})


class Settings(MarketSettings):
    """Who trades, how the maker acts among them, and what it sees."""

    name: Literal["order-flow"] = option("order-flow", "Market to trade in", "--market", part="shape")
    midprice: float = option(100.0, "Mid price about which the book is seeded", gt=0, le=1e9)
    tick: float = option(0.01, "Smallest price step", gt=0, le=1e6)
    levels: int = option(20, "Furthest distance from the opposite best at which orders arrive, ticks", ge=1, le=500)
    limit_rates: tuple[float, ...] = option(
        (1.85, 1.51, 1.09, 0.88, 0.77),
        "Limit orders a minute at distance 1, 2, ... from the opposite best; with queue_sizes: a row a distance",
        min_length=1,
        max_length=10_000,
    )
    limit_scale: float = option(1.92, "Beyond limit_rates: k of the rate k / i^alpha at distance i", ge=0, le=1e6)
    limit_decay: float = option(0.52, "Beyond limit_rates: alpha of the rate k / i^alpha", ge=0, le=10)
    cancel_rates: tuple[float, ...] = option(
        (0.71, 0.81, 0.68, 0.56, 0.47),
        "Cancellations a minute of each order at distance 1, 2, ...; the last holds beyond; shaped as limit_rates",
        min_length=1,
        max_length=10_000,
    )
    market_law: Literal["table", "spread-queue"] = option(
        "table", "Rate of market orders: market_rates, or a function of spread and best queue (market_intensity)"
    )
    market_rates: tuple[float, ...] = option(
        (0.94,),
        "Market orders a minute on each side; with queue_sizes: by the size of the best queue",
        applies=_TABLE,
        min_length=1,
        max_length=1_000,
    )
    market_intensity: tuple[float, float, float, float, float, float] = option(
        (0.0, -0.5, 0.0, 0.0, 0.0, 0.0),
        "Coefficients of the log rate: 1, ln S, ln^2 S, ln(1+q), ln^2(1+q), ln S ln(1+q); S ticks, q mean orders",
        applies=_INTENSITY,
    )
    queue_sizes: int = option(
        0,
        "Longest queue, in mean orders, that rates tell apart: tables have columns for 0, 1, ... of it",
        ge=0,
        le=999,
    )
    depletion: Literal["next-price", "redraw"] = option(
        "next-price",
        "Where a best queue runs empty: the next price is the best, or the price moves a tick and new queues are drawn",
    )
    redraw_weights: tuple[float, ...] = option(
        (1.0, 1.0, 1.0),
        "Weights of new queues of 1, 2, ... orders",
        applies=_REDRAWN,
        min_length=1,
        max_length=MOST_REDRAWN,
    )
    size_law: Literal["constant", "geometric", "table"] = option("constant", "Law of the sizes of orders")
    limit_size: float = option(1.0, "Mean shares of a limit order", applies=_MEAN, ge=1, le=100_000)
    market_size: float = option(1.0, "Mean shares of a market order", applies=_MEAN, ge=1, le=100_000)
    limit_size_table: tuple[float, ...] = option(
        (1.0,), "Weights of limit orders of 1, 2, ... shares", applies=_SIZES, min_length=1, max_length=10_000
    )
    market_size_table: tuple[float, ...] = option(
        (1.0,), "Weights of market orders of 1, 2, ... shares", applies=_SIZES, min_length=1, max_length=10_000
    )
    hawkes_decays: tuple[float, ...] = option(
        (),
        "Events excite events: decay rates a minute of the exponentials",
        max_length=MOST_EXPONENTIALS,
    )
    hawkes_kinds: Literal["market", "all"] = option(
        "market", "Events that excite each other: market orders, or limit orders and cancellations too"
    )
    hawkes_same: tuple[float, ...] = option(
        (),
        "Market orders that each excites on its own side, by each exponential",
        max_length=MOST_EXPONENTIALS,
    )
    hawkes_cross: tuple[float, ...] = option(
        (),
        "Market orders that each excites on the other side, by each exponential",
        max_length=MOST_EXPONENTIALS,
    )
    hawkes_matrix: tuple[float, ...] = option(
        (),
        "Limit orders, cancellations, market orders (3 rows) that one of each kind excites, of its side, then of the "
        "other (6 columns); 18 numbers for each exponential",
        max_length=18 * MOST_EXPONENTIALS,
    )
    efficient_price: Literal["none", "random-walk", "ornstein-uhlenbeck"] = option(
        "none", "A price that nobody sees and towards which orders lean"
    )
    efficient_volatility: float = option(
        1.0, "Ticks that the efficient price moves in a minute", applies=_EFFICIENT, gt=0, le=1e3
    )
    efficient_reversion: float = option(
        0.1, "Rate a minute at which the efficient price reverts to its start", applies=_REVERTING, gt=0, le=1e3
    )
    informed: float = option(
        0.5,
        "How strongly orders lean towards the efficient price: rates 1 +- tanh(informed * ticks from the mid)",
        applies=_EFFICIENT,
        ge=0,
        le=100,
    )
    informed_share: float = option(
        1.0, "Share of the traders who know the efficient price; others do not lean", applies=_EFFICIENT, gt=0, le=1
    )
    informed_orders: Literal["market", "all"] = option(
        "market",
        "Orders that lean towards the efficient price: market orders, or limit orders and cancellations too",
        applies=_EFFICIENT,
    )
    warm_up: float = option(10.0, "Minutes that the book lives before the episode begins", ge=0, le=10_000)
    decide_by: Literal["time", "events"] = option(
        "time", "The maker decides after a time or a number of events", part="maker"
    )
    decision_interval: float = option(
        0.2, "Minutes from one decision to the next", applies=_BY_TIME, part="maker", ge=1e-6, le=10_000
    )
    decision_events: int = option(
        10, "Events of others from one decision to the next", applies=_BY_EVENTS, part="maker", ge=1, le=10_000_000
    )
    latency_law: Literal["none", "constant", "exponential"] = option(
        "none", "Law of the delay from a decision to its effect", part="maker"
    )
    latency: float = option(
        0.01, "Mean delay from a decision to its effect, minutes", applies=_LATE, part="maker", gt=0, le=10_000
    )
    quotes: int = option(
        1,
        "Resting orders of the maker a side, each with a size and a distance",
        applies=_FREE,
        part="action",
        ge=1,
        le=MOST_QUOTES,
    )
    quote_step: float = option(
        1.0,
        "Ticks by which each further order of a side stands further out at the same action",
        applies=_LAYERED,
        part="action",
        ge=0,
        le=1e6,
    )
    actions: Literal["limit", "limit+market"] = option(
        "limit", "Orders that the maker can send: limit orders only, or market orders too", part="shape"
    )
    distance_from: Literal["best", "mid"] = option(
        "best",
        "The maker's distances are measured from the best price of its side, or from the mid",
        applies=_FREE,
        part="action",
    )
    post_only: bool = option(
        True, "A limit order that would trade at once is moved to where it rests", applies=_FREE, part="maker"
    )
    maker_fee: float = option(
        0.0, "Fee per share of its resting orders that are filled; below 0: a rebate", part="maker", ge=-1e6, le=1e6
    )
    taker_fee: float = option(0.0, "Fee per share that the maker takes from the book", part="maker", ge=-1e6, le=1e6)
    close_at_end: bool = option(
        True,
        "At the end the maker withdraws its orders and closes its position by a market order",
        applies=_DEEP,
        part="maker",
    )
    position_limit: int = option(
        10,
        "Shares, long or short, that an order of the maker must not be able to pass",
        part="maker",
        ge=1,
        le=1_000_000,
    )
    depth: int = option(3, "Levels of each side that are observed, a tick apart", part="view", ge=1, le=100)
    horizons: tuple[float, ...] = option(
        (0.5, 2.0, 10.0),
        "Minutes over which trade flow and moves of the mid are averaged",
        part="view",
        max_length=MOST_HORIZONS,
    )
    size_centre: float = option(1.0, "Shares quoted at action 0", applies=_GAUSSIAN, part="action", ge=-1e6, le=1e6)
    size_scale: float = option(1.0, "Shares per unit of action", applies=_GAUSSIAN, part="action", gt=0, le=1e6)
    size_skew: float = option(
        0.0,
        "Shares by which the side that adds to the position is quoted smaller, and the other larger, per share held",
        part="action",
        ge=0,
        le=1e6,
    )
    delta_centre: float = option(
        0.0,
        "Distance from the best or the mid at action 0, ticks",
        applies=(_FREE, _GAUSSIAN),
        part="action",
        ge=-1e6,
        le=1e6,
    )
    delta_scale: float = option(
        1.0, "Distance per unit of action, ticks", applies=(_FREE, _GAUSSIAN), part="action", gt=0, le=1e6
    )
    size_grid: tuple[int, ...] = option(
        (0, 1, 2), "Sizes to choose from, in shares", applies=_CATEGORICAL, part="action", min_length=1, max_length=256
    )
    delta_grid: tuple[float, ...] = option(
        (-1.0, 0.0, 1.0, 2.0, 3.0),
        "Distances from the best or the mid to choose from, ticks",
        applies=(_FREE, _CATEGORICAL),
        part="action",
        min_length=1,
        max_length=256,
    )
    take_grid: tuple[int, ...] = option(
        (0, 1),
        "Sizes of market orders to choose from, in shares",
        applies=(_TAKING, _CATEGORICAL),
        part="action",
        min_length=1,
        max_length=256,
    )

    @property
    def columns(self) -> int:
        """Sizes of a queue that the rates tell apart."""
        return self.queue_sizes + 1

    @property
    def fitted(self) -> int:
        """Distances that the tables of rates cover."""
        return len(self.cancel_rates) // self.columns

    @property
    def far_rates(self) -> tuple[float, ...]:
        """Limit orders a minute at each distance beyond the tables."""
        return tuple(self.limit_scale / i**self.limit_decay for i in range(self.fitted + 1, self.levels + 1))

    @property
    def mean_sizes(self) -> tuple[float, float]:
        """Mean shares of a limit order and of a market order."""
        if self.size_law == "table":
            return _mean(self.limit_size_table), _mean(self.market_size_table)
        return self.limit_size, self.market_size

    @property
    def unit(self) -> float:
        """Shares of a mean limit order, in which queues are measured."""
        return self.mean_sizes[0]

    @property
    def market_rate(self) -> float:
        """About how many market orders hit a side in a minute."""
        from mmrl.markets.order_flow.hawkes import stationary_rates

        return stationary_rates(self)[2]

    @property
    def event_rate(self) -> float:
        """About how many events of others there are a minute."""
        from mmrl.markets.order_flow.hawkes import stationary_rates

        return 2 * sum(stationary_rates(self))

    @property
    def most_resting(self) -> float:
        """About how many orders rest on a side, were all cancelled at the last of `cancel_rates`."""
        from mmrl.markets.order_flow.hawkes import base_rates, stationary_rates

        excited = stationary_rates(self)[0] / base_rates(self)[0] if self.hawkes_decays else 1.0
        return (sum(self.far_rates) + sum(self.limit_rates)) * excited / self.cancel_rates[-1]

    @property
    def room(self) -> float:
        """Orders that can rest at once: many times as many as do on average."""
        return 16 * self.most_resting + 4096

    def contradiction(self, config: Config) -> str | None:
        if self.midprice / self.tick > MOST_TICKS:
            return too_fine(self.tick, self.midprice)
        return fault(self, config.policy.kind == "categorical")


def _mean(weights: tuple[float, ...]) -> float:
    return math.fsum((k + 1) * w for k, w in enumerate(weights)) / math.fsum(weights)
