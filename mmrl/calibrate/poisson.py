"""Regression of event rates on the state: a Poisson GLM with log link and offset, by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import Floats
from mmrl.settings.errors import ConfigError

MOST_STEPS = 100
SMALLEST_STEP = 1e-12
"""Of the coefficients, relative to 1 + their size: Newton's method squares the error, so the next step is nothing."""
_DEPENDENT = 1e-9
"""Share of a column's norm that the other columns leave unexplained, below which its coefficient is not identified."""


@dataclass(frozen=True)
class Regression:
    """Coefficients b [p] of the rates exp(x b), and what their errors need."""

    coefficients: Floats
    """0 where a column tells nothing that those before it do not."""
    inverse: Floats
    """Inverse of the information [p, p]; NaN where a coefficient is not identified."""
    rates: Floats
    """exp(x b) of each row [n]."""
    log_likelihood: float
    constant: float
    """Log-likelihood of one constant rate."""


def log_likelihood(rates: Floats, counts: Floats, seconds: Floats) -> Floats:
    """Of each row, for a point process: count * ln(rate) - rate * seconds (Daley & Vere-Jones 2003, 7.2).

    A Poisson GLM with the offset ln(seconds) has the same but for a constant; this also holds where seconds = 0.
    """
    return np.asarray(counts * np.log(rates) - rates * seconds)


@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # then it does not converge, which is said
def regress(design: Floats, counts: Floats, seconds: Floats) -> Regression:
    """Maximise the likelihood of events [n] in intervals [n] over the coefficients of the columns [n, p].

    The first column is the constant. Raises ConfigError without events, or where Newton's method does not converge.
    """
    events, time = float(counts.sum()), float(seconds.sum())
    if not (events > 0 and time > 0):
        raise ConfigError(f"{events:g} events in {time:g} s: a rate needs at least one of each; give more data")
    kept = _independent(design)
    x = design[:, kept]
    b = np.zeros(len(kept))
    b[0] = np.log(events / time)
    constant = float(log_likelihood(np.full(len(counts), events / time), counts, seconds).sum())
    value = constant
    for _ in range(MOST_STEPS):
        rates = np.exp(x @ b)
        information = (x * (rates * seconds)[:, None]).T @ x
        try:
            step = np.linalg.solve(information, x.T @ (counts - rates * seconds))
        except np.linalg.LinAlgError:
            raise ConfigError(f"{events:g} events do not tell {len(kept)} coefficients apart: give more data") from None
        size = 1.0
        while True:
            tried = b + size * step
            reached = float(log_likelihood(np.exp(x @ tried), counts, seconds).sum())
            if reached >= value - 1e-9 * abs(value) or size < 1e-6:
                break
            size /= 2
        b, value = tried, reached
        if np.max(np.abs(size * step) / (1 + np.abs(b))) < SMALLEST_STEP:
            break
    else:
        raise ConfigError(f"the regression of {events:g} events did not converge in {MOST_STEPS} steps: give more data")
    rates = np.exp(x @ b)
    information = (x * (rates * seconds)[:, None]).T @ x
    width = design.shape[1]
    coefficients, inverse = np.zeros(width), np.full((width, width), np.nan)
    coefficients[kept] = b
    try:
        inverse[np.ix_(kept, kept)] = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        raise ConfigError(f"{events:g} events do not tell {len(kept)} coefficients apart: give more data") from None
    return Regression(coefficients, inverse, rates, value, constant)


def _independent(design: Floats) -> list[int]:
    """Columns that are not combinations of those before them, by Gram-Schmidt."""
    kept: list[int] = []
    basis: list[Floats] = []
    for number, column in enumerate(design.T):
        rest = column.astype(np.float64)
        for _ in range(2):  # twice is enough against rounding
            for direction in basis:
                rest = rest - direction * (direction @ rest)
        norm = float(np.linalg.norm(rest))
        if norm > _DEPENDENT * float(np.linalg.norm(column)):
            kept.append(number)
            basis.append(rest / norm)
    return kept
