"""The price that nobody sees of `order-flow`: how far it moves, and how many traders know it.

Indirect inference (Gourieroux, Monfort & Renault, Journal of Applied Econometrics 8, 1993): both numbers are such that
the mid of the simulated market moves as that of the data does over 1 to 60 seconds, its volatility signature. The
market is simulated at a grid of both; the logarithm of each point of the signature is taken to be a quadratic function
of them, which takes the noise of the simulations out. Errors: blocks of the data resampled. Those who know the price
are assumed to see it to within a mean spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from mmrl.calibrate.blocks import Floats
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.facts import signature
from mmrl.calibrate.simulated import simulated
from mmrl.data.events import Events
from mmrl.settings.build import build

WITHIN = 2.0
"""Standard errors of the volatility of the data, within which that of the price that nobody sees lies."""
WIDEST = 0.5
"""Of the volatility, where its error is larger, or not known."""
STEPS = 5
NEAR = 0.5
"""In ln variance: simulations that are further from the data than the nearest one count less."""
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of traders who know it."""
HOURS = 4.0
MOST_EVENTS = 300_000
"""Simulated at each point of the grid, about."""
RESAMPLES = 200
FINE = 33
"""Points of each number between which the surface is searched."""


@dataclass(frozen=True)
class Informed:
    """What orders know, and how well the mid then moves as that of the data."""

    volatility: Estimate
    """Ticks in a root of a minute."""
    share: Estimate
    """Of traders who know it."""
    strength: float
    """A tick."""
    fit: Goodness
    without: Goodness
    """Of the market without an efficient price."""

    @property
    def better(self) -> bool:
        """Whether the mid moves more as in the data than without it."""
        return self.fit.value < self.without.value

    @property
    def settings(self) -> dict[str, Any]:
        """Of the market."""
        return {
            "efficient_price": "random-walk",
            "efficient_volatility": float(f"{self.volatility.value:.6g}"),
            "informed": float(f"{self.strength:.6g}"),
            "informed_share": float(f"{self.share.value:.6g}"),
            "informed_orders": "all",
        }


def fit_informed(
    events: Events, settings: Mapping[str, Any], volatility: Estimate, spread: float, lots: int = 1
) -> Informed | None:
    """For a market of these settings; `volatility` of the data: ticks in a root of a minute; `spread`: its mean, ticks.

    None where the mid of the data does not move over one of the intervals.
    """
    told = signature(events)
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.log(told.values(told.sums.sum(axis=0)))
    root_minute = volatility.value
    if not (np.isfinite(wanted).all() and root_minute > 0):
        return None
    relative = WITHIN * volatility.error / root_minute
    wide = min(relative, WIDEST) if math.isfinite(relative) else WIDEST
    multiples = np.linspace(1 - wide, 1 + wide, STEPS)
    rate = build({"market": dict(settings)}).market.event_rate  # type: ignore[attr-defined]
    seconds = min(HOURS * 3600.0, MOST_EVENTS / rate * 60.0)
    informed = {"efficient_price": "random-walk", "informed_orders": "all", "informed": 1.0 / spread}

    def moving(**more: Any) -> Floats:
        tape = simulated(build({"market": {**settings, **more}}), seconds, 0, lots, events.tick)
        found = signature(tape)
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(found.values(found.sums.sum(axis=0))), wanted - math.log(1e3))

    def knowing(multiple: float, share: float) -> Floats:
        return moving(**informed, efficient_volatility=root_minute * multiple, informed_share=share)

    grid = np.array(list(product(multiples, SHARES)))
    seen = np.stack([knowing(*each) for each in grid])
    distance = ((seen - wanted) ** 2).mean(axis=1)
    near = np.exp(-0.5 * (distance - distance.min()) / NEAR**2)[:, None] + 1e-6  # the surface is quadratic only nearby
    surface = np.linalg.lstsq(_quadratic(grid) * near, seen * near, rcond=None)[0]
    axes = np.linspace(multiples[0], multiples[-1], FINE), np.linspace(SHARES[0], SHARES[-1], FINE)
    fine = np.array(list(product(*axes)))
    told_by = _quadratic(fine) @ surface

    def nearest(logs: Floats) -> Floats:
        return np.asarray(fine[np.argmin(((told_by - logs) ** 2).sum(axis=1))])

    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        sums = told.sums[rng.integers(0, len(told.sums), len(told.sums))].sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(told.values(sums))
        if np.isfinite(logs).all():
            drawn.append(nearest(logs))
    best = nearest(wanted)
    errors = np.std(drawn, axis=0, ddof=1) if len(drawn) > 1 else np.full(2, math.nan)
    errors[(best == fine[0]) | (best == fine[-1])] = math.nan  # where the grid ends, not where the best is
    multiple, share = (Estimate(float(b), float(e), len(told.sums)) for b, e in zip(best, errors, strict=True))
    fit, without = (
        Goodness("mean |ln ratio| of the volatility signature", float(np.abs(found - wanted).mean()), 0.0)
        for found in (knowing(*best), moving())
    )
    return Informed(multiple.times(root_minute), share, 1.0 / spread, fit, without)


def _quadratic(x: Floats) -> Floats:
    """[n, 6] of multiples and shares [n, 2]."""
    a, b = x.T
    return np.stack([np.ones_like(a), a, b, a * a, a * b, b * b], axis=1)
