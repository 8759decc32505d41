"""The simple maker of a market's own: on an order book the naive agent of the original research code.

It mirrors what the book shows: n ~ Poisson(3/4 q), delta ~ N(delta, delta / 4) on each side, with q and delta those
that others show at the best quote.
"""

from mmrl.rollout.quoters import Quoter, heuristic
from mmrl.settings.model import Config


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for a market with a heuristic."""
    return heuristic()
