"""What the closed-form agents know of a market: volatility, fill intensity A exp(-k delta), aversion, penalties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmrl.agents.fills import fill_curve
from mmrl.markets.contract import spec_of
from mmrl.rollout.quoters import Quoter, table
from mmrl.settings.model import Config

MAX_INVENTORY = 60
"""Inventory up to which tables are made; beyond it they stay as they are at the edge."""
SHARES = 1.0
"""What every agent of this folder that has no sizes of its own posts on each side at each step."""
SIDES = ("bid", "ask")


@dataclass(frozen=True)
class Inputs:
    """Inputs of the formulas, in currency and the market's unit of time."""

    sigma: float
    k: float
    arrival: float
    gamma: float
    horizon: float
    phi: float
    """Running inventory penalty; where the reward names none, gamma sigma^2 / 2, the mean-variance one."""
    alpha: float
    """Penalty on the final inventory squared."""
    rows: int
    """Times in a table."""

    @property
    def time_left(self) -> np.ndarray:
        """T - t at every row [rows]."""
        return self.horizon * (1.0 - np.arange(self.rows) / self.rows)


def inputs(config: Config) -> Inputs:
    """The inputs of a market; ConfigError where fills are neither stated nor measured."""
    market, reward, spec = config.market, config.reward, spec_of(config)
    k, arrival = fill_curve(config)
    phi = reward.inventory_penalty or market.gamma * spec.volatility**2 / 2
    return Inputs(spec.volatility, k, arrival, market.gamma, spec.end_time, phi, reward.final_penalty, spec.rows)


def quoter(config: Config, distances: np.ndarray) -> Quoter:
    """Distances (bid, ask) [rows, 2 Q + 1, 2] as an agent: where the maker chooses sizes, `SHARES` a side at each step.

    What else a market's actions have is left at 0: further orders of a side too. Raises FloatingPointError on NaN.
    """
    if np.isnan(distances).any():
        raise FloatingPointError("its formula gives NaN")
    spec = spec_of(config)
    actions = np.zeros((*distances.shape[:2], len(spec.axes)))
    for k, axis in enumerate(spec.axes):
        if axis.kind == "distance":
            actions[..., k] = distances[..., SIDES.index(axis.side)]
        elif axis.kind == "size":
            actions[..., k] = 0.0 if axis.rank else SHARES
    return table(actions)


def edged(quotes: np.ndarray) -> np.ndarray:
    """Fill the bid at q = Q and the ask at q = -Q, which the formulas leave open, by straight continuation."""
    quotes[:, -1, 0] = 2 * quotes[:, -2, 0] - quotes[:, -3, 0]
    quotes[:, 0, 1] = 2 * quotes[:, 1, 1] - quotes[:, 2, 1]
    return quotes
