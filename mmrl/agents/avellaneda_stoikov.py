"""The inventory strategy of Avellaneda & Stoikov (Quantitative Finance 8(3), 2008), section 3.2.

Reservation price r = s - q gamma sigma^2 (T - t), total spread gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma / k)
around it: an approximation for small inventories, not the optimum. (The prices for an inventory that stays frozen
carry a factor 1/2: s + (+-1 - 2 q) gamma sigma^2 (T - t) / 2; see `frozen_prices`.)
Where the maker chooses sizes it posts one share a side at each step.
"""

import math

import numpy as np

from mmrl.agents.inputs import MAX_INVENTORY, Inputs, inputs, quoter
from mmrl.rollout.quoters import Quoter
from mmrl.settings.model import Config


def quotes(i: Inputs, most: int = MAX_INVENTORY) -> np.ndarray:
    """Distances (bid, ask) from the mid [rows, 2 Q + 1, 2]; they are not clipped at 0."""
    skew = (i.gamma * i.sigma**2 * i.time_left)[:, None]
    q = np.arange(-most, most + 1)
    half = 0.5 * skew + math.log1p(i.gamma / i.k) / i.gamma
    return np.stack([half + q * skew, half - q * skew], axis=-1)


def frozen_prices(mid: float, inventory: float, gamma: float, sigma: float, time_left: float) -> tuple[float, float]:
    """Reservation (bid, ask) prices of a maker who will not trade again (section 2.2)."""
    risk = 0.5 * gamma * sigma**2 * time_left
    return mid + (-1 - 2 * inventory) * risk, mid + (1 - 2 * inventory) * risk


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for a market."""
    return quoter(config, quotes(inputs(config)))
