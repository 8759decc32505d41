"""The price that nobody sees of `order-flow`: how far it moves, and how many traders know it.

Indirect inference (Gourieroux, Monfort & Renault, Journal of Applied Econometrics 8, 1993): both numbers are such that
the mid of the simulated market moves as that of the data does over 1 to 60 seconds, its volatility signature, and the
price that nobody sees as far as the two-scale volatility of the data says. The market is simulated at a grid of both;
the logarithm of each point of the signature is taken to be a cubic function of them, which takes the noise of the
simulations out, and counts by its error. Errors: blocks of the data resampled, times root(1 + span of the data / span
simulated). Those who know the price are assumed to see it to within a mean spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from mmrl.calibrate.blocks import SECOND, Floats
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.facts import signature
from mmrl.calibrate.simulated import simulated
from mmrl.data.events import Events
from mmrl.kernels.account import Overfull
from mmrl.settings.build import build

WITHIN = 3.0
"""Standard errors of the volatility of the data, within which that of the price that nobody sees lies."""
WIDEST = 0.6
"""Of the volatility, where these are more, or not known."""
STEPS = 7
FURTHEST = math.log(1e3)
"""In ln variance."""
SHARES = tuple(np.linspace(0.05, 0.95, STEPS).tolist())
"""Of traders who know it."""
NEAR = 0.5
"""In ln variance: simulations that are further from the data than the nearest one count less."""
HOURS = 12.0
MOST_EVENTS = 1_000_000
"""Simulated at each point of the grid, about."""
RESAMPLES = 200
FINE = 61
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
    rng = np.random.default_rng(0)
    count = len(told.sums)
    resampled = np.stack([told.sums[rng.integers(0, count, count)].sum(axis=0) for _ in range(RESAMPLES)])
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted, drawn = (np.log(told.values(sums.T).T) for sums in (told.sums.sum(axis=0), resampled))
    root_minute = volatility.value
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if not (np.isfinite(wanted).all() and root_minute > 0 and len(drawn) > 1):
        return None
    weight = 1 / np.maximum(drawn.var(axis=0), 1e-6)
    within = WITHIN * volatility.error / root_minute
    wide = min(within, WIDEST) if math.isfinite(within) else WIDEST
    multiples = np.linspace(1 - wide, 1 + wide, STEPS)
    rate = build({"market": dict(settings)}).market.event_rate  # type: ignore[attr-defined]
    seconds = min(HOURS * 3600.0, MOST_EVENTS / rate * 60.0)
    informed = {"efficient_price": "random-walk", "informed_orders": "all", "informed": 1.0 / spread}

    def moving(**more: Any) -> Floats:
        config = build({"market": {**settings, **more}})
        try:
            found = signature(simulated(config, seconds, 0, lots, events.tick))
        except Overfull:  # queues grow without end: no market to compare with
            return np.asarray(wanted + FURTHEST)
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(found.values(found.sums.sum(axis=0))), wanted - FURTHEST)

    def knowing(multiple: float, share: float) -> Floats:
        return moving(**informed, efficient_volatility=root_minute * multiple, informed_share=share)

    grid = np.array(list(product(multiples, SHARES)))
    seen = np.stack([knowing(*each) for each in grid])
    distance = ((seen - wanted) ** 2).mean(axis=1)
    near = np.exp(-0.5 * (distance - distance.min()) / NEAR**2)[:, None] + 1e-6
    surface = np.linalg.lstsq(_cubic(grid) * near, seen * near, rcond=None)[0]
    axes = np.linspace(multiples[0], multiples[-1], FINE), np.linspace(SHARES[0], SHARES[-1], FINE)
    fine = np.array(list(product(*axes)))
    told_by = _cubic(fine) @ surface

    def nearest(logs: Floats, multiple: float) -> Floats:
        far = (weight * (told_by - logs) ** 2).sum(axis=1) + ((fine[:, 0] - multiple) * WITHIN / wide) ** 2
        return np.asarray(fine[np.argmin(far)])

    best = nearest(wanted, 1.0)
    lasted = float(events.time_ns[-1] - events.time_ns[0]) / SECOND
    around = 1.0 + wide / WITHIN * rng.standard_normal(len(drawn))
    errors = np.std(list(map(nearest, drawn, around)), axis=0, ddof=1) * math.sqrt(1 + lasted / seconds)
    errors[(best == fine[0]) | (best == fine[-1])] = math.nan  # where the grid ends, not where the best is
    multiple, share = (Estimate(float(b), float(e), count) for b, e in zip(best, errors, strict=True))
    fit, without = (
        Goodness("mean |ln ratio| of the volatility signature", float(np.abs(found - wanted).mean()), 0.0)
        for found in (knowing(*best), moving())
    )
    return Informed(multiple.times(root_minute), share, 1.0 / spread, fit, without)


def _cubic(x: Floats) -> Floats:
    """[n, 10] of multiples and shares [n, 2]."""
    a, b = x.T
    return np.stack([a**i * b**j for i in range(4) for j in range(4 - i)], axis=1)
