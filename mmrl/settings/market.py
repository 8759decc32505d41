"""What the settings of every market have in common."""

from __future__ import annotations

from typing import Any

from mmrl.settings.declare import Group, option

MOST_TICKS = 2.0**52
"""Of a price, above which a float no longer tells them apart."""


def too_fine(tick: float, midprice: float) -> str:
    """The line that refuses a tick in which the price at the start cannot be counted."""
    least = midprice / MOST_TICKS
    return f"market.tick = {tick:g} is too fine for market.midprice = {midprice:g}: it must be > {least:.2g}"


class MarketSettings(Group):
    """What the settings of every market have; a market adds its own."""

    name: str = option("", "Market to trade in", "--market", part="shape")
    nt: int = option(1000, "Time steps of a trajectory", "-nt", "--nt", part="maker", ge=1, le=10_000_000)
    gamma: float = option(
        0.1, "Risk aversion of the closed-form agents and of the certainty equivalent", part="maker", gt=0, le=1e3
    )

    @classmethod
    def renamed(cls) -> dict[str, str]:
        """Names that this market's settings had before, as dotted keys, with the names of today."""
        return {}

    @property
    def aversion(self) -> float | None:
        """Risk aversion of the mean-variance and entropic utilities, where the market states it, not the reward."""
        return None

    @property
    def states_aversion(self) -> bool:
        """Whether the market states the risk aversion itself."""
        return self.aversion is not None

    def settled(self, utility: str) -> MarketSettings:
        """The settings with every "auto" replaced by what goes with a utility; itself where there is none."""
        return self

    def contradiction(self, config: Any) -> str | None:
        """What cannot be in this market with a whole `Config`, as one line that names setting, value and remedy."""
        return None
