"""The evolution strategy: optima known by hand, and what it asks of a score."""

from __future__ import annotations

import numpy as np
import pytest

from mmrl.agents.evolution import maximise


def quiet(g: int, best: float) -> None:
    pass


def test_a_long_bent_valley() -> None:
    """Rosenbrock's function in four dimensions: its maximum is 0 at (1, 1, 1, 1)."""

    def score(x: np.ndarray, g: int) -> float:
        return -float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())

    found = maximise(score, np.zeros(4), np.full(4, 0.5), 150, np.random.default_rng(1), quiet)
    np.testing.assert_allclose(found, 1.0, atol=1e-3)


def test_noise_units_and_numbers_that_are_none() -> None:
    """Axes of very unlike units, noise as large as the differences but shared by a generation, NaN beyond a wall."""
    noise = np.random.default_rng(2).normal(size=200)
    best = np.array([300.0, 0.02])
    heard: list[tuple[int, float]] = []

    def score(x: np.ndarray, g: int) -> float:
        if x[0] > 310.0:
            return float("nan")
        return -float(np.square((x - best) / [100.0, 0.01]).sum()) + noise[g]

    found = maximise(
        score, np.zeros(2), np.array([100.0, 0.01]), 200, np.random.default_rng(3), lambda g, b: heard.append((g, b))
    )
    np.testing.assert_allclose((found - best) / best, 0.0, atol=1e-3)
    assert [g for g, _ in heard] == list(range(200))
    assert heard[-1][1] == pytest.approx(noise[-1], abs=1e-4)


def test_the_same_generator_finds_the_same() -> None:
    def score(x: np.ndarray, g: int) -> float:
        return -float(np.abs(x - 0.3).sum())

    one, two = (maximise(score, np.zeros(3), np.ones(3), 5, np.random.default_rng(4), quiet) for _ in range(2))
    np.testing.assert_array_equal(one, two)
