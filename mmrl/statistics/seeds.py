"""Statistics over the seeds of a training: few numbers, of which each is a whole training.

Mean with its 95 % interval by Student's t; interquartile mean with a stratified bootstrap interval, after Agarwal et
al., Deep reinforcement learning at the edge of the statistical precipice, 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmrl.statistics.intervals import LEAST, student_t

if TYPE_CHECKING:  # a list of runs is printed without numpy
    import numpy as np

SMALL = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060)
"""97.5 % quantiles of Student's t for means of 2 to 9 numbers: 1 to 8 degrees of freedom."""
RESAMPLES = 10_000


def mean_half(values: Sequence[float]) -> tuple[float, float]:
    """The mean of independent numbers and half of its 95 % interval, NaN where none can be given (fewer than two).

    Unlike the trajectories of an epoch the seeds are few, so that no correction for skewness can be estimated: the
    interval takes them for normal.
    """
    count = len(values)
    if not count:
        return math.nan, math.nan
    mean = math.fsum(values) / count
    if count < 2:
        return mean, math.nan
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    t = SMALL[count - 2] if count < LEAST else float(student_t(count))
    return mean, t * deviation / math.sqrt(count)


def interquartile_mean(scores: np.ndarray) -> np.ndarray:
    """Mean of what is left of the last axis when the quarter with the lowest and that with the highest are left out.

    Of n numbers floor(n / 4) are left out on either side.
    """
    import numpy as np

    count = scores.shape[-1]
    cut = count // 4
    kept: np.ndarray = np.sort(scores, axis=-1)[..., cut : count - cut].mean(axis=-1)
    return kept


def bootstrap_interval(
    strata: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float, float]:
    """Interquartile mean of all scores, and the ends of its 95 % percentile interval by stratified bootstrap.

    `strata`: the scores of the seeds [runs], one array a task (here a market); runs are drawn with replacement within
    each. The interval is NaN where no stratum has two runs.
    """
    import numpy as np

    middle = float(interquartile_mean(np.concatenate(strata)))
    if max(len(scores) for scores in strata) < 2:
        return middle, math.nan, math.nan
    generator = np.random.default_rng(seed)
    drawn = [scores[generator.integers(0, len(scores), (resamples, len(scores)))] for scores in strata]
    low, high = np.quantile(interquartile_mean(np.concatenate(drawn, axis=1)), (0.025, 0.975))
    return middle, float(low), float(high)
