"""Time-rescaled residuals of a point process, and their Kolmogorov-Smirnov test.

If a rate is right, its integrals from one event to the next are independent with an Exp(1) law: Brown, Barbieri,
Ventura, Kass & Frank (Neural Computation 14(2), 2002).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import Floats, Ints


@dataclass(frozen=True)
class Residuals:
    """Kolmogorov-Smirnov test of residuals against Exp(1)."""

    distance: float
    """Largest distance of the distribution functions: 0 is perfect."""
    p_value: float
    """As if no parameter had been fitted, which flatters a fit to the same data."""
    count: int


def between_events(integrals: Floats, rows: Ints) -> Floats:
    """Integrals of the rate from event to event, given those up to each row of a table and the rows of the events.

    What lies before the first event is left out: nobody knows when the wait for it began.
    """
    return np.diff(np.cumsum(integrals)[rows])


def kolmogorov_smirnov(residuals: Floats) -> Residuals:
    """Test residuals [n] against Exp(1); the p-value is the asymptotic one with Stephens's (1970) correction for n."""
    count = len(residuals)
    if not count:
        return Residuals(math.nan, math.nan, 0)
    law = -np.expm1(-np.sort(residuals))
    steps = np.arange(count + 1) / count
    distance = float(max(np.max(steps[1:] - law), np.max(law - steps[:-1])))
    return Residuals(distance, kolmogorov_tail(distance, count), count)


def kolmogorov_tail(distance: float, count: int) -> float:
    """Probability that n draws from the law stand at least so far from it."""
    x = distance * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count))
    if x < 0.2:  # the series below needs many terms there, and the probability is 1 to 12 digits
        return 1.0
    return min(1.0, 2 * math.fsum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101)))
