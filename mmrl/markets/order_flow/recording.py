"""What a recording of the book needs to know: room for its changes, and what its levels are worth."""

from __future__ import annotations

from mmrl.markets.order_flow.settings import Settings
from mmrl.markets.order_flow.state import Parameters, parameters

__all__ = ["lowest_price", "parameters", "tick", "usual_room"]


def usual_room(market: Settings, steps: int) -> int:
    """Changes of levels that a trajectory of so many kept steps seldom exceeds."""
    return 4 * market.levels + (8 + 4 * market.quotes) * steps


def tick(market: Settings) -> float:
    """Smallest price step, currency."""
    return market.tick


def lowest_price(p: Parameters) -> int:
    """Ticks of level 0: levels are named by their distance from the first mid."""
    return int(p.rules["mid"])
