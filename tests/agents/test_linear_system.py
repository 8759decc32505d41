"""ln v(t) of v' = M v: beside the exact eigenvectors, and where the step would overflow."""

from __future__ import annotations

import numpy as np
import pytest

from mmrl.agents import agent
from mmrl.agents.linear_system import log_solution
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config

Q = np.arange(-30, 31)


@pytest.mark.parametrize(("steepness", "coupling"), [(0.05, 50.0), (0.003, 2.0)])
def test_it_equals_the_eigenvectors(steepness: float, coupling: float) -> None:
    diagonal = steepness * Q**2.0
    found = log_solution(diagonal, coupling, np.zeros(Q.size), 1.0, 10)
    values, vectors = np.linalg.eigh(np.diag(diagonal) - coupling * (np.eye(Q.size, k=1) + np.eye(Q.size, k=-1)))
    for step in (0, 4, 9):
        exact = vectors @ (np.exp(-values * (1.0 - step / 10)) * (vectors.T @ np.ones(Q.size)))
        np.testing.assert_allclose(found[step], np.log(exact), rtol=0, atol=1e-9)


def test_a_long_step_leaves_the_first_eigenvector() -> None:
    """exp(-M dt) is beyond the largest number there: only differences of ln v matter to quotes."""
    diagonal, coupling = 0.05 * Q**2.0, 51.5
    found = log_solution(diagonal, coupling, np.zeros(Q.size), 1e6, 20)
    values, vectors = np.linalg.eigh(np.diag(diagonal) - coupling * (np.eye(Q.size, k=1) + np.eye(Q.size, k=-1)))
    np.testing.assert_allclose(np.diff(found[0]), np.diff(np.log(np.abs(vectors[:, 0]))), rtol=0, atol=1e-6)
    assert found[0].max() / (-values[0] * 1e6) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", ["glft", "cartea-jaimungal"])
def test_agents_quote_for_a_long_horizon(name: str) -> None:
    quotes = agent(name, Config.of("avellaneda-stoikov", horizon=1e6, nt=20)).table
    assert quotes is not None and np.isfinite(quotes).all()
    middle = quotes.shape[1] // 2
    assert quotes[0, middle, 0] == pytest.approx(quotes[0, middle, 1])


def test_formulas_that_give_no_number_are_told() -> None:
    config = Config.of("avellaneda-stoikov", k=1e-300, arrival=1e-300)
    with pytest.raises(ConfigError, match="agent 'glft' has no quotes for these settings"):
        agent("glft", config)
