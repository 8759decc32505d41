"""The symmetric benchmark of Avellaneda & Stoikov (Quantitative Finance 8(3), 2008), section 3.3.

A constant spread around the mid price, the time average of the inventory strategy's:
gamma sigma^2 T / 2 + (2 / gamma) ln(1 + gamma / k).
Where the maker chooses sizes it posts one share a side at each step.
"""

import math

import numpy as np

from mmrl.agents.inputs import Inputs, inputs, quoter
from mmrl.rollout.quoters import Quoter
from mmrl.settings.model import Config


def half_spread(i: Inputs) -> float:
    """Distance of either quote from the mid."""
    return i.gamma * i.sigma**2 * i.horizon / 4 + math.log1p(i.gamma / i.k) / i.gamma


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for a market."""
    i = inputs(config)
    return quoter(config, np.full((i.rows, 1, 2), half_spread(i)))
