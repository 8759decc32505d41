"""Quantiles of numbers that are sorted: numpy.quantile takes longer to call than to compute, or than to sort."""

from __future__ import annotations

from typing import Any


def of_sorted(row: Any, share: float) -> float:
    """A quantile of sorted numbers [N], a list or an array, linear between them, to the last bit that of
    numpy.quantile; NaN of none."""
    if not len(row):
        return float("nan")
    place = share * (len(row) - 1)
    below = int(place)
    low, high, beyond = float(row[below]), float(row[min(below + 1, len(row) - 1)]), place - below
    return low + (high - low) * beyond if beyond < 0.5 else high - (high - low) * (1 - beyond)
