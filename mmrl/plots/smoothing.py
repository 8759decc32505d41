"""Exponential moving average with bias correction, extended as points arrive."""

from __future__ import annotations

import math

import numpy as np

from mmrl.plots.pixels import Floats

LEVELS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)
USUAL = 0.8
"""Weight of the past with which noisy metrics are smoothed unless told otherwise."""


class Ema:
    """`m_t / (1 - w^n)` with `m_t = w m_(t-1) + (1 - w) y_t` over the n finite values so far; NaN stays NaN."""

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self._mean = 0.0
        self._left = 1.0  # w^n
        self._done = 0
        self._last = math.nan
        self._values = np.empty(0)

    def extended(self, y: Floats) -> Floats:
        """The average over all of y; earlier values are not read again unless the last of them changed."""
        if self.weight <= 0:
            return y
        count = len(y)
        if count < self._done or (self._done and not _same(y[self._done - 1], self._last)):
            self.__init__(self.weight)  # type: ignore[misc]
        if count > len(self._values):
            self._values = np.concatenate([self._values[: self._done], np.empty(2 * count - self._done)])
        mean, left, weight = self._mean, self._left, self.weight
        smooth = []
        for value in y[self._done :].tolist():
            if math.isfinite(value):
                mean = weight * mean + (1 - weight) * value
                left *= weight
                smooth.append(mean / (1 - left))
            else:
                smooth.append(math.nan)
        self._values[self._done : count] = smooth
        self._mean, self._left, self._done = mean, left, count
        self._last = float(y[-1]) if count else math.nan
        return self._values[:count]


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
