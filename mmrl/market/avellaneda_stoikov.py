"""The game of Avellaneda & Stoikov (Quantitative Finance 8(3), 2008): one share a side, fills A exp(-k delta)."""

import math
from typing import Any

import numpy as np

from mmrl.market.compilation import law
from mmrl.market.random import next_word, uniform

A_MID, A_JUMP, A_K, A_RATE, A_POISSON, A_DT, A_NT, A_HORIZON = range(8)
_ONE = np.uint64(1)


def parameters(market: Any) -> np.ndarray:
    """Numbers float64[8] of a market configuration; time in units of the horizon's."""
    dt = market.horizon / market.nt
    jump = market.sigma * math.sqrt(dt)
    poisson = float(market.fill == "poisson")
    return np.array([market.as_midprice, jump, market.k, market.arrival * dt, poisson, dt, market.nt, market.horizon])


@law
def fill_probability(p, delta):
    """Probability that a quote at distance delta is hit within one step."""
    rate = p[A_RATE] * math.exp(min(-p[A_K] * delta, 50.0))
    if p[A_POISSON] > 0.0:
        return -math.expm1(-rate)
    return min(1.0, rate)


@law
def step(p, state, mid, delta_bid, delta_ask):
    """One step: fills at mid -+ delta, then the mid moves +-sigma sqrt(dt).

    Returns (bid filled, ask filled, new mid); distances are not clipped at 0.
    """
    bid = uniform(state) < fill_probability(p, delta_bid)
    ask = uniform(state) < fill_probability(p, delta_ask)
    up = (next_word(state) >> np.uint64(63)) & _ONE
    return bid, ask, mid + p[A_JUMP] if up == _ONE else mid - p[A_JUMP]


def reservation_quotes(market: Any, time_left: np.ndarray, inventory: np.ndarray) -> np.ndarray:
    """Distances (bid, ask) from the mid of the paper's inventory strategy, shape [..., 2], currency."""
    skew = market.gamma * market.sigma**2 * time_left
    half = 0.5 * skew + math.log1p(market.gamma / market.k) / market.gamma
    return np.stack([half + inventory * skew, half - inventory * skew], axis=-1)
