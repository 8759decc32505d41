"""A fixed half-spread: the same distance from the mid on both sides, whatever happens.

`fixed:0.7` quotes 0.7 away; where the maker chooses sizes `fixed:3@1.68` posts 3 shares a side at each step (1 without
the size). Without a distance it is 1/k, the best of a maker who does not mind inventory in continuous time.
"""

import math

from mmrl.agents.inputs import SHARES, inputs
from mmrl.markets.contract import spec_of
from mmrl.rollout.quoters import Quoter, fixed
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import number
from mmrl.settings.model import Config

MOST = 1e9
"""Of a size and of a distance."""


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for a market and a text DELTA or SIZE@DELTA."""
    spec = spec_of(config)
    lowest = max(spec.axes[k].low for k in spec.distances)
    size_text, at, delta_text = argument.rpartition("@")
    try:
        size = number(size_text) if at else SHARES
        delta = number(delta_text) if delta_text else 1.0 / inputs(config).k
        if not (0 <= size <= MOST and abs(delta) <= MOST) or delta < lowest or (at and not spec.has_sizes):
            raise ValueError(argument)
    except ValueError:
        bound = f" with DELTA >= {lowest:g}" if math.isfinite(lowest) else ""
        sized = f"fixed:DELTA or fixed:SIZE@DELTA, SIZE >= 0 and both <= {MOST:g}"
        form = sized if spec.has_sizes else "fixed:DELTA, one share a side"
        raise ConfigError(f"agent 'fixed:{argument}' is not allowed: write {form}{bound}") from None
    return fixed(*({"size": 0.0 if axis.rank else size, "distance": delta}.get(axis.kind, 0.0) for axis in spec.axes))
