"""The settings of the market of Avellaneda & Stoikov, and what actions mean in it."""

from __future__ import annotations

from typing import Literal

from mmrl.settings.declare import option, when
from mmrl.settings.market import MarketSettings

AVERSE = ("cara", "entropic", "mean-variance")
"""Utilities under which quotes lean as gamma and sigma imply; the others know no gamma, and a linear one no risk."""
_GAUSSIAN = when("the policy is categorical", {"policy.kind": "gaussian"})


class Settings(MarketSettings):
    """A mid price that diffuses, and fills of one share whose rate falls with the distance from it."""

    name: Literal["avellaneda-stoikov"] = option("avellaneda-stoikov", "Market to trade in", "--market", part="shape")
    midprice: float = option(100.0, "Mid price at the start", gt=0, le=1e9)
    sigma: float = option(2.0, "Volatility of the mid price per unit of time", ge=0, le=1e6)
    k: float = option(1.5, "Decay of the fill rate with the distance", gt=0, le=1e6)
    arrival: float = option(140.0, "Fill rate A at distance 0", gt=0, le=1e9)
    gamma: float = option(
        0.1,
        "Risk aversion: of the closed-form agents, of the certainty equivalent, and in training of the utilities "
        "mean-variance and entropic",
        gt=0,
        le=1e3,
    )
    fill: Literal["linear", "poisson"] = option("poisson", "Law of a fill within a step")
    horizon: float = option(1.0, "Length of a trajectory", gt=0, le=1e6)
    start_inventory: int = option(
        0,
        "Every other training trajectory starts with an inventory of up to this many shares, long or short",
        part="start",
        ge=0,
        le=10_000,
    )
    delta_centre: float = option(
        1.0, "Distance from the mid at action 0, in units of 1/k", applies=_GAUSSIAN, part="action", ge=-1e6, le=1e6
    )
    delta_scale: float = option(
        0.45, "Distance per unit of action, in units of 1/k", applies=_GAUSSIAN, part="action", gt=0, le=1e6
    )
    skew: Literal["none", "risk", "cara", "auto"] = option(
        "none",
        "At action 0 quotes ignore the inventory, or are skewed by it as gamma and sigma imply: "
        "for a small gamma (risk), for any (cara); auto: cara for utilities averse to risk, else none",
        applies=when(
            "distances are chosen from delta_grid as they are",
            {"policy.kind": "gaussian"},
            {"market.delta_grid": ((),)},
        ),
        part="action",
    )
    delta_grid: tuple[float, ...] = option(
        (),
        "Distances from the mid to choose from, in currency and not skewed; empty: 1/8 to 25/8 of 1/k, skewed",
        applies=when("the policy is gaussian", {"policy.kind": "categorical"}),
        part="action",
        max_length=256,
    )

    @classmethod
    def renamed(cls) -> dict[str, str]:
        return {
            "market.as_midprice": "market.midprice",
            "policy.as_delta_centre": "market.delta_centre",
            "policy.as_delta_scale": "market.delta_scale",
            "policy.as_tilt": "market.skew",
            "policy.delta_grid": "market.delta_grid",
        }

    def settled(self, utility: str) -> Settings:
        if self.skew != "auto":
            return self
        return self.model_copy(update={"skew": "cara" if utility in AVERSE else "none"})

    @property
    def aversion(self) -> float:
        return self.gamma

    @property
    def dt(self) -> float:
        """Length of a step."""
        return self.horizon / self.nt
