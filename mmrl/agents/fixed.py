"""A fixed half-spread: the same distance from the mid on both sides, whatever happens.

`fixed:0.7` quotes 0.7 away; `fixed:3@1.68` posts 3 shares a side on the book at each step (1 without the size).
Without a distance it is 1/k, the best of a maker who does not mind inventory in continuous time.
"""

import math

from mmrl.agents.inputs import SHARES, inputs
from mmrl.rollout.quoters import Quoter, fixed
from mmrl.settings.model import Config, ConfigError


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for a market and a text DELTA or SIZE@DELTA."""
    book = config.market.name == "book"
    size_text, at, delta_text = argument.rpartition("@")
    try:
        size = float(size_text) if at else SHARES
        delta = float(delta_text) if delta_text else 1.0 / inputs(config).k
        if not (math.isfinite(size) and math.isfinite(delta)) or (book and delta < 0) or (at and not book):
            raise ValueError(argument)
    except ValueError:
        form = "fixed:DELTA or fixed:SIZE@DELTA with DELTA >= 0" if book else "fixed:DELTA, one share a side"
        raise ConfigError(f"agent 'fixed:{argument}' is not allowed: write {form}") from None
    return fixed(size, delta, size, delta) if book else fixed(delta, delta)
