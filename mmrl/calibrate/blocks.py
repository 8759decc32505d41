"""Standard errors clustered by 5-minute block: orders come in bursts, so that single events are not independent.

The sandwich estimator of Liang & Zeger (Biometrika 73(1), 1986) with the factor G / (G - 1) for G blocks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mmrl.calibrate.estimate import Estimate

SECOND = 1_000_000_000
"""In nanoseconds."""
BLOCK_NS = 300 * SECOND
FEWEST_BLOCKS = 2
"""Below this no error can be given."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def block_of(time_ns: Ints) -> Ints:
    """The 5-minute block of the day in which each time lies."""
    return np.asarray(time_ns, np.int64) // BLOCK_NS


def numbered(time_ns: Ints) -> tuple[Ints, int]:
    """Blocks of times that never fall, numbered from 0 for the first, and how many the whole span has."""
    if not len(time_ns):
        return np.zeros(0, np.int64), 0
    block = block_of(time_ns) - int(block_of(time_ns[:1])[0])
    return block, int(block[-1]) + 1


def block_sums(values: Floats, block: Ints, blocks: int) -> Floats:
    """Sums of the rows of values [n] or [n, p] over each block: [blocks] or [blocks, p]."""
    if values.ndim == 1:
        return np.asarray(np.bincount(block, values, blocks), np.float64)
    return np.stack([np.bincount(block, column, blocks) for column in values.T], axis=1)


def spread_out(influence: Floats) -> Floats:
    """Covariance [p, p] of a sum of independent block terms [blocks, p] with mean 0; NaN for fewer than two blocks."""
    blocks, width = influence.shape
    if blocks < FEWEST_BLOCKS:
        return np.full((width, width), math.nan)
    return blocks / (blocks - 1) * influence.T @ influence


def estimates(values: Floats, influence: Floats) -> tuple[Estimate, ...]:
    """Values [p] with the errors that follow from what each block [blocks, p] moves them by."""
    errors = np.sqrt(np.diag(spread_out(influence)))
    return tuple(
        Estimate(float(value), float(error), len(influence)) for value, error in zip(values, errors, strict=True)
    )


def ratio(sums: Floats, weights: Floats) -> Estimate:
    """sum(sums) / sum(weights) of blocks [blocks], by the delta method; NaN where nothing was weighed.

    Blocks without weight tell nothing, and do not count.
    """
    weighed = weights > 0
    total = float(weights.sum())
    if not total > 0:
        return Estimate(math.nan)
    value = float(sums.sum()) / total
    influence = (sums[weighed] - value * weights[weighed]) / total
    return estimates(np.array([value]), influence[:, None])[0]


def dispersion(counts: Floats, weights: Floats) -> float:
    """Variance of the counts of blocks over that of a Poisson process of constant rate: Pearson's chi^2 per degree."""
    weighed = weights > 0
    total, blocks = float(counts.sum()), int(weighed.sum())
    if blocks < FEWEST_BLOCKS or total == 0:
        return math.nan
    expected = total * weights[weighed] / float(weights.sum())
    return float(((counts[weighed] - expected) ** 2 / expected).sum()) / (blocks - 1)


def seconds_of_blocks(start_ns: int, end_ns: int) -> Floats:
    """Seconds of [start, end] that lie in each 5-minute block from the first to the last of them."""
    first, last = start_ns // BLOCK_NS, end_ns // BLOCK_NS
    edges = np.arange(first, last + 2) * BLOCK_NS
    return np.asarray(np.diff(np.clip(edges, start_ns, end_ns)) / SECOND, np.float64)
