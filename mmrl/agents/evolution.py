"""CMA-ES, the search without gradients that adapts a normal distribution to what it finds.

Hansen, The CMA Evolution Strategy: A Tutorial (arXiv:1604.00772), algorithm of its figure 6 and parameters of its
table 1, without negative weights. It goes by the ranks within a generation alone, so that a noisy score needs no more
than the same random numbers for all points of one generation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def maximise(
    score: Callable[[Float64, int], float],
    start: Float64,
    spread: Float64,
    generations: int,
    rng: np.random.Generator,
    tell: Callable[[int, float], None],
) -> Float64:
    """The mean [n] of the last generation.

    `score(x, g)` is what x [n] is worth in generation g; NaN counts as worst. The first generation is drawn around
    `start` [n] with standard deviations `spread` [n]. After each, `tell` hears its number and its best score.
    """
    n = start.size
    population = n + 4
    parents = population // 2
    weights = math.log((population + 1) / 2) - np.log(np.arange(1, parents + 1))
    weights /= weights.sum()
    effective = 1.0 / float(np.square(weights).sum())
    path_rate = (effective + 2) / (n + effective + 5)
    damping = 1 + 2 * max(0.0, math.sqrt((effective - 1) / (n + 1)) - 1) + path_rate
    shape_rate = (4 + effective / n) / (n + 4 + 2 * effective / n)
    one_rate = 2 / ((n + 1.3) ** 2 + effective)
    many_rate = min(1 - one_rate, 2 * (effective - 2 + 1 / effective) / ((n + 2) ** 2 + effective))
    usual_length = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))

    mean, step = np.zeros(n), 1.0
    covariance, step_path, shape_path = np.eye(n), np.zeros(n), np.zeros(n)
    for g in range(generations):
        variances, axes = np.linalg.eigh(covariance)
        deviations = np.sqrt(np.maximum(variances, 1e-20))
        draws = (rng.standard_normal((population, n)) * deviations) @ axes.T
        scores = np.array([score(start + spread * (mean + step * draw), g) for draw in draws])
        best = draws[np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")[:parents]]
        move = weights @ best
        mean = mean + step * move
        tell(g, float(np.nanmax(scores, initial=-np.inf)))
        whitened = axes @ ((axes.T @ move) / deviations)
        step_path = (1 - path_rate) * step_path + math.sqrt(path_rate * (2 - path_rate) * effective) * whitened
        length = float(np.linalg.norm(step_path))
        known = math.sqrt(1 - (1 - path_rate) ** (2 * (g + 1)))
        usual = length / known < (1.4 + 2 / (n + 1)) * usual_length
        shape_path = (1 - shape_rate) * shape_path
        if usual:
            shape_path += math.sqrt(shape_rate * (2 - shape_rate) * effective) * move
        lost = 0.0 if usual else shape_rate * (2 - shape_rate)
        covariance = (
            (1 - one_rate - many_rate + one_rate * lost) * covariance
            + one_rate * np.outer(shape_path, shape_path)
            + many_rate * (best.T * weights) @ best
        )
        step *= math.exp(path_rate / damping * (length / usual_length - 1))
    found: Float64 = start + spread * mean
    return found
