"""How far a fitted market is from the data, fact by fact, beside how far the data are from themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmrl.calibrate.blocks import Floats
from mmrl.calibrate.facts import DISTRIBUTION, KURTOSIS, Fact, facts
from mmrl.calibrate.held_out import middle
from mmrl.calibrate.intervals import window
from mmrl.data.events import Events

RESAMPLES = 200
QUANTILES = {"median": 0.5, "90 %": 0.9}
NEAR = 2.0
"""Times the floor, up to which a fact counts as met."""


@dataclass(frozen=True)
class Distance:
    """Between two tapes in one fact. For curves l1 is the mean absolute difference, for kurtosis |ln ratio|."""

    l1: float
    low: float
    high: float
    """95 % interval of l1, blocks of both tapes resampled."""
    wasserstein: float = math.nan
    """Of distributions, in their unit; NaN of others, as its 95 % interval."""
    wasserstein_low: float = math.nan
    wasserstein_high: float = math.nan


@dataclass(frozen=True)
class Score:
    """One fact: model against data, first half of the data against the second, plain Poisson model against data."""

    fact: str
    kind: str
    at: tuple[float, ...]
    """Where the bins of a distribution begin, or the points of a curve are."""
    data: tuple[float, ...]
    """Shares of the bins, points of the curve, or the kurtosis."""
    model: tuple[float, ...]
    distance: Distance
    floor: Distance
    poisson: Distance | None

    def beside(self) -> list[tuple[str, float, float]]:
        """The fact in few numbers, of the data and of the model: quantiles, ends of a curve, or the kurtosis."""
        if self.kind == DISTRIBUTION:
            both = (self.data, self.model)
            return [(name, *(_quantile(self.at, shares, p) for shares in both)) for name, p in QUANTILES.items()]  # type: ignore[misc]
        ends = dict.fromkeys((0, len(self.at) - 1))
        return [(f"{self.at[k]:g}", self.data[k], self.model[k]) for k in ends]

    @property
    def met(self) -> bool:
        """At most twice as far as the halves of the data are from each other."""
        return self.distance.l1 <= NEAR * self.floor.l1


def _quantile(at: Sequence[float], shares: Sequence[float], p: float) -> float:
    """Where the bin begins in which the shares add up to p; NaN without any."""
    below = np.cumsum(shares)
    return float(at[min(int(np.searchsorted(below, p - 1e-9)), len(at) - 1)]) if below[-1] > 0 else math.nan


def realism(data: Events, model: Events, poisson: Events | None = None, seed: int = 0) -> list[Score]:
    """All facts; bins are those of the data."""
    split = middle(data)
    halves = [window(data, int(data.time_ns[0]), split), window(data, split, int(data.time_ns[-1]) + 1)]
    seen, told = facts(data), facts(model, data)
    first, second = (facts(half, data) for half in halves)
    plain = facts(poisson, data) if poisson is not None else None
    rng = np.random.default_rng(seed)
    return [
        Score(
            name,
            fact.kind,
            tuple(fact.at.tolist()),
            tuple(fact.values(fact.sums.sum(axis=0)).tolist()),
            tuple(told[name].values(told[name].sums.sum(axis=0)).tolist()),
            distance(told[name], fact, rng),
            distance(first[name], second[name], rng),
            distance(plain[name], fact, rng) if plain else None,
        )
        for name, fact in seen.items()
    ]


def distance(one: Fact, other: Fact, rng: np.random.Generator) -> Distance:
    """How far two tapes are apart in a fact."""
    drawn = [_apart(one, _resampled(one.sums, rng), _resampled(other.sums, rng)) for _ in range(RESAMPLES)]
    (low, high), (wasserstein_low, wasserstein_high) = map(_interval, zip(*drawn, strict=True))
    l1, wasserstein = _apart(one, one.sums.sum(axis=0), other.sums.sum(axis=0))
    return Distance(l1, low, high, wasserstein, wasserstein_low, wasserstein_high)


def _interval(drawn: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in drawn if math.isfinite(value)]
    low, high = np.quantile(finite, [0.025, 0.975]).tolist() if finite else (math.nan, math.nan)
    return low, high


def _resampled(sums: Floats, rng: np.random.Generator) -> Floats:
    return np.asarray(sums[rng.integers(0, len(sums), len(sums))].sum(axis=0)) if len(sums) else sums.sum(axis=0)


def _apart(fact: Fact, one: Floats, other: Floats) -> tuple[float, float]:
    a, b = fact.values(one), fact.values(other)
    if fact.kind == KURTOSIS:
        return (abs(math.log(a[0] / b[0])) if a[0] > 0 and b[0] > 0 else math.nan), math.nan
    if fact.kind == DISTRIBUTION:
        return float(np.abs(a - b).sum()), float((np.abs(np.cumsum(a - b)) * fact.widths).sum())
    both = np.isfinite(a) & np.isfinite(b)
    return (float(np.abs(a - b)[both].mean()) if both.any() else math.nan), math.nan


def missed(scores: Sequence[Score]) -> list[str]:
    """Names of the facts that the model misses."""
    return [score.fact for score in scores if not score.met]
