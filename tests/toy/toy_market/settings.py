"""The settings of the toy market."""

from typing import Literal

from mmrl.settings.declare import option
from mmrl.settings.market import MarketSettings


class Settings(MarketSettings):
    """A mid price that walks by whole ticks, and fills of one share whose chance falls with the distance."""

    name: Literal["toy"] = option("toy", "Market to trade in", "--market", part="shape")
    midprice: int = option(100, "Mid price at the start", ge=1, le=1_000_000)
    k: float = option(0.5, "Decay of the fill probability with the distance", gt=0, le=100)
    pace: float = option(2.0, "Mean length of a step in seconds", gt=0, le=3600)
    momentum: float = option(0.3, "Correlation of a move of the mid with the one before", ge=0, lt=1)
    limit: int = option(10, "Inventory, long or short, beyond which the episode ends", ge=1, le=1000)
