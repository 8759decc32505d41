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
    wasserstein: float
    """Of distributions, in their unit; of curves and of ln kurtosis that of their values by block of five minutes, mean
    over the points."""
    wasserstein_low: float
    wasserstein_high: float


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
    a, b = one.by_block(), other.by_block()
    drawn = []
    for _ in range(RESAMPLES):
        i, j = (rng.integers(0, len(fact.sums), len(fact.sums)) for fact in (one, other))
        drawn.append(_apart(one, (one.sums[i], a[i]), (other.sums[j], b[j])))
    (low, high), (wasserstein_low, wasserstein_high) = map(_interval, zip(*drawn, strict=True))
    l1, wasserstein = _apart(one, (one.sums, a), (other.sums, b))
    return Distance(l1, low, high, wasserstein, wasserstein_low, wasserstein_high)


def _interval(drawn: Sequence[float]) -> tuple[float, float]:
    finite = [value for value in drawn if math.isfinite(value)]
    low, high = np.quantile(finite, [0.025, 0.975]).tolist() if finite else (math.nan, math.nan)
    return low, high


def _apart(fact: Fact, one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[float, float]:
    """L1 and Wasserstein of two tapes, each as sums and values by block."""
    a, b = (fact.values(sums.sum(axis=0)) for sums, _ in (one, other))
    if fact.kind == DISTRIBUTION:
        return float(np.abs(a - b).sum()), float((np.abs(np.cumsum(a - b)) * fact.widths).sum())
    by_block = _mean(np.array([_wasserstein(x, y) for x, y in zip(one[1].T, other[1].T, strict=True)]))
    if fact.kind == KURTOSIS:
        return (abs(math.log(a[0] / b[0])) if a[0] > 0 and b[0] > 0 else math.nan), by_block
    return _mean(np.abs(a - b)), by_block


def _mean(values: Floats) -> float:
    """Of those that are finite; NaN if none is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _wasserstein(one: Floats, other: Floats) -> float:
    """Area between the distribution functions of the finite values of two samples; NaN if one has none."""
    a, b = (np.sort(values[np.isfinite(values)]) for values in (one, other))
    if not (len(a) and len(b)):
        return math.nan
    points = np.sort(np.concatenate([a, b]))
    below = (np.searchsorted(values, points[:-1], side="right") / len(values) for values in (a, b))
    return float((np.abs(next(below) - next(below)) * np.diff(points)).sum())


def missed(scores: Sequence[Score]) -> list[str]:
    """Names of the facts that the model misses."""
    return [score.fact for score in scores if not score.met]
