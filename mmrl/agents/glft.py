"""Gueant, Lehalle & Fernandez-Tapia, Dealing with the inventory risk (Math. Finan. Econ. 7, 2013).

CARA utility in continuous time, |q| <= Q. With alpha = k gamma sigma^2 / 2, eta = A (1 + gamma/k)^-(1 + k/gamma):
    v(t) = expm(-M (T - t)) 1,  M = diag(alpha q^2) - eta * off-diagonals,
    delta_b(t, q) = ln(v_q / v_{q+1}) / k + ln(1 + gamma/k) / gamma,  delta_a with v_{q-1}  (Theorem 1).
Asymptotic closed form (section 4): S = sqrt(sigma^2 gamma / (2 k A) (1 + gamma/k)^(1 + k/gamma)),
    delta_b = ln(1 + gamma/k) / gamma + (2 q + 1) S / 2,  delta_a with -(2 q - 1).
Where the maker chooses sizes it posts one share a side at each step.
"""

import math

import numpy as np

from mmrl.agents.inputs import MAX_INVENTORY, Inputs, edged, inputs, quoter
from mmrl.agents.linear_system import log_solution
from mmrl.markets.closed_form import cara_power, cara_skew
from mmrl.rollout.quoters import Quoter
from mmrl.settings.model import Config


def coefficients(i: Inputs) -> tuple[float, float, float]:
    """alpha, eta and S."""
    alpha, eta = 0.5 * i.k * i.gamma * i.sigma**2, i.arrival * math.exp(-cara_power(i.k, i.gamma))
    return alpha, eta, cara_skew(i.sigma, i.k, i.arrival, i.gamma)


def quotes(i: Inputs, most: int = MAX_INVENTORY) -> np.ndarray:
    """Distances (bid, ask) [rows, 2 Q + 1, 2]; the sides that may not quote at |q| = Q go straight on."""
    alpha, eta, _ = coefficients(i)
    q = np.arange(-most, most + 1)
    log_v = log_solution(alpha * q**2.0, eta, np.zeros(q.size), i.horizon, i.rows)[:-1]
    out = np.full((i.rows, q.size, 2), math.log1p(i.gamma / i.k) / i.gamma)
    steps = np.diff(log_v, axis=1) / i.k
    out[:, :-1, 0] -= steps
    out[:, 1:, 1] += steps
    return edged(out)


def asymptotic(i: Inputs, most: int = MAX_INVENTORY) -> np.ndarray:
    """The closed form far from the end, distances (bid, ask) [rows, 2 Q + 1, 2]."""
    half, step = math.log1p(i.gamma / i.k) / i.gamma, coefficients(i)[2]
    q = np.arange(-most, most + 1)
    row = np.stack([half + (2 * q + 1) / 2 * step, half - (2 * q - 1) / 2 * step], axis=-1)
    return np.broadcast_to(row, (i.rows, *row.shape)).copy()


def make(config: Config, argument: str = "") -> Quoter:
    """The exact agent for a market."""
    return quoter(config, quotes(inputs(config)))


def make_asymptotic(config: Config, argument: str = "") -> Quoter:
    """The asymptotic agent for a market."""
    return quoter(config, asymptotic(inputs(config)))
