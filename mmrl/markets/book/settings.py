"""The settings of the order book: how it starts, its rules, what is seen of it, what actions mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from mmrl.settings.declare import option, when
from mmrl.settings.market import MOST_TICKS, MarketSettings, too_fine

if TYPE_CHECKING:
    from mmrl.settings.model import Config

_GAUSSIAN = when("the policy is categorical", {"policy.kind": "gaussian"})
_CATEGORICAL = when("the policy is gaussian", {"policy.kind": "categorical"})
_ORDERS = when("the intensity counts shares", {"market.arrivals": "orders"})

MS = 1000.0
"""In a second."""
LARGEST_ORDER = 1_000_000
"""Shares."""


class Settings(MarketSettings):
    """Which book is simulated and under which rules."""

    name: Literal["book"] = option("book", "Market to trade in", "--market", part="shape")
    dt: float = option(1.0, "Length of a step in milliseconds", gt=0, le=60_000)
    midprice: float = option(533.0, "Mid price at the start", gt=0, le=1e9)
    tick: float = option(0.01, "Smallest price step", gt=0, le=1e6)
    book_size: int = option(10_000, "Shares resting at the start", "--book-size", "-bs", ge=1, le=100_000_000)
    seed_spread: float = option(10.0, "Mean spread of the seeded orders", gt=0, le=1e6)
    drift: float = option(3.59e-6, "Drift of the mid price per millisecond", ge=-1e3, le=1e3)
    volatility: float = option(2.4e-3, "Standard deviation of the mid price over a millisecond", ge=0, le=1e3)
    intensity: tuple[float, float, float, float, float, float] = option(
        (7.2, -2.13, -0.8, -2.3, 0.167, -0.1),
        "Six coefficients of the log arrival rate of market orders",
    )
    arrivals: Literal["shares", "orders"] = option(
        "shares",
        "The intensity counts shares a millisecond, by distance in currency and size in shares; or orders a second, by "
        "distance in ticks and size in lots",
    )
    lot: int = option(100, "Shares of a lot, in which that intensity measures sizes", applies=_ORDERS, ge=1, le=10**9)
    order_sizes: tuple[int, ...] = option(
        (100,),
        "Shares that a market order may have, equally likely",
        applies=_ORDERS,
        min_length=1,
        max_length=10_000,
    )
    fill_curve: tuple[float, ...] = option(
        (),
        "k per currency and A per millisecond of the fills A exp(-k d) that closed-form agents reckon with; empty: as "
        "the intensity implies",
        max_length=2,
    )
    large_sizes: Literal["monotone", "formula"] = option(
        "monotone",
        "Beyond the size with the lowest arrival rate the rate stays there (monotone) or grows again (formula)",
    )
    owner: Literal["others", "maker"] = option("others", "Who owns the seeded shares")
    crossed: Literal["filled", "dropped"] = option("filled", "What becomes of an order the mid has crossed")
    market_order: Literal["best", "walk"] = option("best", "A market order stops at the best price or walks on")
    exhausted: Literal["ends", "refilled"] = option("ends", "What happens when the mid has emptied a side")
    touch_size: Literal["level", "lot"] = option("level", "Size at the best quote: all shares or one lot")
    priority: Literal["time", "size"] = option("time", "Who is served first at one price")
    emptying_step: Literal["kept", "discarded"] = option("kept", "The step that empties the book")
    rounding: Literal["away", "nearest"] = option("away", "Quotes are rounded away from the mid or to nearest")
    uniform: bool = option(False, "Run on to the last step when a side is empty", "--uniform", "-u")
    n_obs: int = option(1, "Number of last states that are observed", "--n-obs", "-no", part="view", ge=1, le=1000)
    observation: Literal["state", "inventory", "full"] = option(
        "inventory",
        "Observe the quotes, with the inventory, or with inventory, mid price and wealth",
        part="view",
    )
    size_centre: float = option(3.0, "Shares quoted at action 0", applies=_GAUSSIAN, part="action", ge=-1e6, le=1e6)
    size_scale: float = option(3.0, "Shares per unit of action", applies=_GAUSSIAN, part="action", gt=0, le=1e6)
    size_skew: float = option(
        0.0,
        "Shares by which the side that adds to the position is quoted smaller, and the other larger, per share held",
        part="action",
        ge=0,
        le=1e6,
    )
    delta_centre: float = option(
        1.5, "Distance from the mid at action 0", applies=_GAUSSIAN, part="action", ge=0, le=1e6
    )
    delta_scale: float = option(1.0, "Distance per unit of action", applies=_GAUSSIAN, part="action", gt=0, le=1e6)
    size_grid: tuple[int, ...] = option(
        (-2, 0, 1, 2, 3, 4, 5, 8),
        "Sizes to choose from, in shares",
        applies=_CATEGORICAL,
        part="action",
        min_length=1,
        max_length=256,
    )
    delta_grid: tuple[float, ...] = option(
        (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0),
        "Distances from the mid to choose from",
        applies=_CATEGORICAL,
        part="action",
        min_length=1,
        max_length=256,
    )

    @classmethod
    def renamed(cls) -> dict[str, str]:
        moved = ("size_centre", "size_scale", "delta_centre", "delta_scale", "size_grid", "delta_grid")
        return {f"policy.{name}": f"market.{name}" for name in moved}

    @property
    def log_size_limit(self) -> float:
        """ln(1 + q) beyond which the size terms of the arrival rate no longer change; q in shares, or in lots."""
        b3, b4 = self.intensity[3:5]
        return -b3 / (2 * b4) if self.large_sizes == "monotone" and b3 < 0 < b4 else float("inf")

    @property
    def half_ladder(self) -> float:
        """Ticks from the middle that the ladder reaches: three seeded spreads and ten deviations of the mid."""
        duration = self.nt * self.dt
        reach = 3 * self.seed_spread + abs(self.drift) * duration + 10 * self.volatility * duration**0.5
        return reach / self.tick

    @property
    def distance_limit(self) -> float:
        """Ticks beyond which the rate of orders stays as it is: a fitted parabola in ln(1 + d) would rise again."""
        _, b1, b2, _, _, b5 = self.intensity
        falls = self.arrivals == "orders" and b2 > 0 > b1 + b5
        return math.expm1(min(-(b1 + b5) / (2 * b2), 700.0)) if falls else float("inf")

    def contradiction(self, config: Config) -> str | None:
        if self.fill_curve and not (len(self.fill_curve) == 2 and all(0 < x < math.inf for x in self.fill_curve)):
            return f"market.fill_curve = {list(self.fill_curve)} is not allowed: give k and A, two numbers > 0"
        if config.reward.utility == "entropic":
            return (
                "reward.utility = 'entropic' takes every error of the value function for risk, and in the book that "
                "sees the best quotes only: use --utility mean-variance, or --market avellaneda-stoikov"
            )
        if self.midprice / self.tick > MOST_TICKS:
            return too_fine(self.tick, self.midprice)
        if not 1 <= min(self.order_sizes) <= max(self.order_sizes) <= LARGEST_ORDER:
            return f"market.order_sizes = {list(self.order_sizes)}: sizes must be 1 to {LARGEST_ORDER} shares"
        if min(self.delta_grid) < 0:
            return f"market.delta_grid = {list(self.delta_grid)}: distances must be >= 0 in the book"
        return None
