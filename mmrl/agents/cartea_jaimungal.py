"""Cartea, Jaimungal & Penalva, Algorithmic and High-Frequency Trading (2015), section 10.2: running inventory penalty.

max E[X_T + q_T S_T - alpha q_T^2 - phi int q^2 dt] with fills lambda exp(-kappa delta), |q| <= Q:
    omega(t) = expm(B (T - t)) z,  z_q = exp(-alpha kappa q^2),  B_qq = -phi kappa q^2,  B_{q,q+-1} = lambda / e,
    h = ln(omega) / kappa,  delta_b = 1/kappa - h(q+1) + h(q),  delta_a = 1/kappa - h(q-1) + h(q).
The value at the start is h(0, 0). lambda and kappa are the market's `arrival` and `k`.
phi and alpha are the reward's `inventory_penalty` (0: gamma sigma^2 / 2) and `final_penalty`.
Where the maker chooses sizes it posts one share a side at each step.
"""

import numpy as np

from mmrl.agents.inputs import MAX_INVENTORY, Inputs, edged, inputs, quoter
from mmrl.agents.linear_system import log_solution
from mmrl.rollout.quoters import Quoter
from mmrl.settings.model import Config


def worth(i: Inputs, most: int = MAX_INVENTORY) -> np.ndarray:
    """h(t, q) at every row and the end [rows + 1, 2 Q + 1]; the value in continuous time is at (0, q = 0)."""
    q = np.arange(-most, most + 1)
    end = -i.alpha * i.k * q**2.0
    return log_solution(i.phi * i.k * q**2.0, i.arrival / np.e, end, i.horizon, i.rows) / i.k


def quotes(i: Inputs, most: int = MAX_INVENTORY) -> np.ndarray:
    """Distances (bid, ask) [rows, 2 Q + 1, 2]; the sides that may not quote at |q| = Q go straight on."""
    h = worth(i, most)[:-1]
    out = np.full((*h.shape, 2), 1.0 / i.k)
    steps = np.diff(h, axis=1)
    out[:, :-1, 0] -= steps
    out[:, 1:, 1] += steps
    return edged(out)


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for a market."""
    return quoter(config, quotes(inputs(config)))
