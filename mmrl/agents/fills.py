"""How often an order is filled by its distance from the mid: as the market states it, or measured by simulation.

The closed forms take fills of one share to arrive at rate A exp(-k delta). Where a market has no such formula, one
share a side is quoted anew at each step, at several fixed distances. If h of all steps see it filled, its rate is
-ln(1 - h) a step; ln A and -k are the straight line through the logarithms of these, weighed by the fills.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from mmrl.markets.contract import market_of, spec_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.rollout.streams import stream_seed
from mmrl.settings.errors import ConfigError
from mmrl.settings.market import MarketSettings
from mmrl.settings.model import Config

TRAJECTORIES = 100
FEWEST = 20
"""Fills at a distance that counts."""


def fill_curve(config: Config) -> tuple[float, float]:
    """k (1 / currency) and A (1 / unit of time) of the market of a config; ConfigError where it has none."""
    market = market_of(config)
    if market.fill_curve is not None:
        return market.fill_curve(config.market)
    if market.fill_experiment is None:
        raise ConfigError(f"market {market.name} states no fills in its spec.py, which closed-form agents need")
    return _measured(*market.fill_experiment(config.market))


@cache
def _measured(market: MarketSettings, distances: tuple[float, ...]) -> tuple[float, float]:
    """k and A in a market in which one share a side is quoted at each distance; the same numbers each time."""
    config = Config.model_construct(market=market)
    axes, found = spec_of(config).axes, []
    for delta in distances:
        quoter = fixed(*({"size": 1.0, "distance": delta}.get(axis.kind, 0.0) for axis in axes))
        batch = rollout(config, quoter, stream_seed(0, "fills"), 0, count=TRAJECTORIES)
        steps, time = 2 * batch.nnz, 2 * float(batch.final_time.sum())  # of both sides
        hits = int((batch.bought > 0).sum() + (batch.sold > 0).sum())
        if FEWEST <= hits < steps:
            found.append((delta, -np.log1p(-hits / steps) * steps / time, hits))
    if len(found) < 2:
        raise ConfigError(
            f"fills of market {market.name} cannot be measured: orders near the mid are filled too seldom or always; "
            "name an agent that needs no fill rate"
        )
    at, rates, weights = np.array(found).T
    slope, level = np.polyfit(at, np.log(rates), 1, w=np.sqrt(weights))
    return float(-slope), float(np.exp(level))
