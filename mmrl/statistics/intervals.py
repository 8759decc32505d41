"""95 % intervals of means: the one place where they are computed, whoever prints or draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a list of runs is printed without numpy
    import numpy as np

LEAST = 10
"""Numbers below which no interval is given: whether they are skewed cannot be known."""
ROUNDING = 1e-12
"""Numbers that differ by less, in units of the largest, are equal but for rounding."""
_FLAT = 1e-6
"""Below this the inverse of Hall's transformation is the identity to six digits."""


def deviation(sample: np.ndarray, ddof: int = 0, scale: float | None = None) -> float:
    """Standard deviation of numbers [N], 0 where they differ by rounding alone; `scale`: of what they are left of."""
    found = float(sample.std(ddof=ddof))
    largest = float(abs(sample).max()) if scale is None else scale
    return 0.0 if found <= ROUNDING * largest else found


def half_width(sample: np.ndarray, scale: float | None = None) -> float:
    """Half of the 95 % interval of the mean of independent numbers [N], NaN where none can be given.

    Student's t, with Hall's (1992) correction for skewness: T -> T + a T^2 + a^2 T^3 / 3 + skew / (6 sqrt N) with
    a = skew / (3 sqrt N) is nearly normal, so the interval ends where that meets +- t. It reaches further to one side;
    that side is taken for both. None for fewer than `LEAST` numbers, and none for equal ones, which do not tell how
    rare another number is.
    """
    count = sample.size
    spread = deviation(sample, scale=scale) if count >= LEAST else 0.0
    if not 0 < spread < math.inf:
        return math.nan
    skew = float((((sample - sample.mean()) / spread) ** 3).mean())
    t, root = student_t(count), math.sqrt(count)
    furthest = max(_inverse(t, skew / root), -_inverse(-t, skew / root))
    return furthest * spread / math.sqrt(count - 1)


def _inverse(y: float, skew: float) -> float:
    """Inverse of Hall's transformation, given the skewness divided by the square root of the count."""
    if abs(skew) < _FLAT:
        return y
    return 3 / skew * (math.cbrt(1 + skew * (y - skew / 6)) - 1)


def ratio_half_width(sums: np.ndarray, weights: np.ndarray) -> float:
    """The same for sum(sums) / sum(weights) by the delta method; both [N], such as a trajectory's sum and its steps."""
    total = float(weights.sum())
    if not total:
        return math.nan
    rest = sums - float(sums.sum()) / total * weights
    return half_width(rest, float(abs(sums).max())) * weights.size / total


def student_t(count: Any) -> Any:
    """97.5 % quantile of Student's t for a mean of `count` >= `LEAST` numbers, to 1e-5; also for an array of counts.

    Cornish-Fisher expansion in the degrees of freedom, Abramowitz & Stegun 26.7.5.
    """
    z = 1.959963984540054
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / (count - 1.0) ** power for power, term in enumerate(terms))


def recorded_half(record: Mapping[str, Any]) -> float | None:
    """Half of the interval of the value in an epoch's record; of an earlier version's by its standard error."""
    half, error, count = (record.get(name) for name in ("value_half", "value_se", "trajectories"))
    if half is None and isinstance(error, int | float) and isinstance(count, int | float) and count >= LEAST:
        half = student_t(count) * error
    return float(half) if isinstance(half, int | float) and math.isfinite(half) else None
