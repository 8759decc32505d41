"""Formulas that markets and closed-form agents share."""

from __future__ import annotations

import math


def cara_power(k: float, gamma: float) -> float:
    """ln (1 + gamma/k)^(1 + k/gamma), which tends to 1 for a small gamma (Gueant, Lehalle & Fernandez-Tapia 2013)."""
    return (1 + k / gamma) * math.log1p(gamma / k)


def cara_skew(sigma: float, k: float, arrival: float, gamma: float) -> float:
    """S = sqrt(sigma^2 gamma / (2 k A) (1 + gamma/k)^(1 + k/gamma)), by which the best quotes for CARA utility move per
    share held, far from the end and for fills of one share at rate A exp(-k delta) (the same, section 4)."""
    return math.sqrt(sigma**2 * gamma / (2 * k * arrival) * math.exp(cara_power(k, gamma)))


def cara_fading(sigma: float, gamma: float, skew: float) -> float:
    """tau = S / (gamma sigma^2): with a time t left the quotes move by S tanh(t / tau) a share.

    It solves s' = gamma sigma^2 (1 - (s / S)^2), the Riccati equation of a value that is quadratic in the inventory
    (Bergault, Evangelista, Gueant & Vieira, SIAM J. Financial Math. 2021). Near the end it is gamma sigma^2 t, as in
    Avellaneda & Stoikov.
    """
    return skew / (gamma * sigma**2) if skew > 0 else 0.0
