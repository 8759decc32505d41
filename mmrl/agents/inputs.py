"""What the closed-form agents know of a market: volatility, fill intensity A exp(-k delta), risk aversion, penalties.

The `avellaneda-stoikov` market states them. For `book` they are the tangent of ln lambda(delta, 1) at the distance
where one fresh share a step earns most: k is its slope, A its height at 0; time is in milliseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmrl.rollout.quoters import Quoter, table
from mmrl.settings.model import Config

REACH = 60
"""Inventory up to which tables are made; beyond it they stay as they are at the edge."""
BOOK_ROWS = 500
"""Times at most in a table for the book."""
SHARES = 1.0
"""What every agent of this folder that has no sizes of its own posts on each side of the book at each step."""


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
    """The inputs of a market."""
    market, reward = config.market, config.reward
    if market.name == "book":
        k, arrival = tangent(config)
        sigma, horizon, rows = market.volatility, market.dt * market.nt, min(market.nt, BOOK_ROWS)
    else:
        sigma, k, arrival, horizon, rows = market.sigma, market.k, market.arrival, market.horizon, market.nt
    phi = reward.inventory_penalty or market.gamma * sigma**2 / 2
    return Inputs(sigma, k, arrival, market.gamma, horizon, phi, reward.final_penalty, rows)


def tangent(config: Config) -> tuple[float, float]:
    """k and A of the book: lambda(delta, 1) ~ A exp(-k delta) where delta (1 - exp(-lambda dt)) is largest."""
    b, dt = config.market.intensity, config.market.dt
    y = min(math.log(2.0), config.market.log_size_limit)
    delta = np.linspace(0.01, 50.0, 5_000)

    def log_rate(d: np.ndarray) -> np.ndarray:
        x = np.log1p(d)
        return np.asarray(b[0] + b[1] * x + b[2] * x**2 + b[3] * y + b[4] * y**2 + b[5] * np.log1p(d + 1.0))

    best = delta[np.argmax(delta * -np.expm1(-dt * np.exp(np.minimum(log_rate(delta), 700.0))))]
    low, middle, high = log_rate(np.array([best - 1e-4, best, best + 1e-4]))
    k = max(float(low - high) / 2e-4, 1e-6)
    return k, math.exp(min(float(middle) + k * float(best), 700.0))


def quoter(config: Config, quotes: np.ndarray) -> Quoter:
    """Distances (bid, ask) [rows, 2 Q + 1, 2] as an agent: on the book `SHARES` a side at each step."""
    if config.market.name != "book":
        return table(quotes)
    size = np.full(quotes.shape[:2], SHARES)
    return table(np.stack([size, quotes[..., 0], size, quotes[..., 1]], axis=-1))


def edged(quotes: np.ndarray) -> np.ndarray:
    """Fill the bid at q = Q and the ask at q = -Q, which the formulas leave open, by straight continuation."""
    quotes[:, -1, 0] = 2 * quotes[:, -2, 0] - quotes[:, -3, 0]
    quotes[:, 0, 1] = 2 * quotes[:, 1, 1] - quotes[:, 2, 1]
    return quotes
