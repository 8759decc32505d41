"""The game of Avellaneda & Stoikov (Quantitative Finance 8(3), 2008): one share a side, fills A exp(-k delta)."""

import math
from typing import Any

import numpy as np

from mmrl.kernels.jit import law
from mmrl.kernels.random import next_word, uniform

A_MID, A_JUMP, A_K, A_RATE, A_POISSON, A_DT, A_NT, A_HORIZON, A_START = range(9)
_ONE = np.uint64(1)


def parameters(market: Any) -> np.ndarray:
    """Numbers float64[9] of a market configuration; time in units of the horizon's."""
    dt = market.horizon / market.nt
    jump = market.sigma * math.sqrt(dt)
    poisson = float(market.fill == "poisson")
    clock = [dt, market.nt, market.horizon]
    return np.array([market.as_midprice, jump, market.k, market.arrival * dt, poisson, *clock, market.start_inventory])


@law
def start_inventory(reach, number):
    """Inventory that trajectory `number` starts with: none if even, else one of -reach .. reach in turn.

    Starts where the game seldom leads let rare positions be learned (exploring starts: Sutton & Barto 2018, ch. 5).
    """
    if number % 2 == 0:
        return 0
    return (number // 2) % (2 * reach + 1) - reach


def quote_scale(market: Any, policy: Any) -> tuple[float, float, float]:
    """What a Gaussian action means in currency: distance at action 0, distance per unit of action, lean per share.

    Distances are measured in 1/k, where fills become e times rarer, so that no market needs a scale of its own. The
    lean is 0, or with as_tilt "risk" sqrt(e gamma sigma^2 / (2 k A)): the slope in q, far from the end, of the best
    quotes for mean-variance utility (Cartea & Jaimungal's h for small q). A tanh network alone is bounded: at
    inventories it has never seen its quotes would stop leaning.
    """
    lean = 0.0
    if policy.as_tilt == "risk":
        lean = math.sqrt(math.e * market.gamma * market.sigma**2 / (2.0 * market.k * market.arrival))
    return policy.as_delta_centre / market.k, policy.as_delta_scale / market.k, lean


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
