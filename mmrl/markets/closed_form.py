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
