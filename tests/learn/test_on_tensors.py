"""Formulas on a batch give the same for numpy's arrays and for torch's tensors, which stay on CUDA."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn.discounting import discounted_sums
from mmrl.learn.normaliser import column_statistics
from mmrl.learn.record import batch_record
from mmrl.learn.returns import (
    bootstrap_values,
    normalised,
    per_unit_of_utility,
    potential,
    risk_adjusted,
    shaped_rewards,
)
from mmrl.rollout.arrays import following, host
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed, heuristic
from mmrl.settings.build import build
from mmrl.training.diagnostics import Diagnostics, least

MARKETS: dict[str, dict[str, Any]] = {
    "moves": {"name": "avellaneda-stoikov", "nt": 20},
    "book": {"name": "book", "nt": 40},
}
REWARDS: dict[str, dict[str, Any]] = {
    "entropic": {"utility": "entropic"},
    "cara": {"utility": "cara"},
    "cut": {"utility": "custom", "immediate": "wealth", "final": "none", "time_limit": "cuts"},
    "custom": {"utility": "custom", "immediate": "wealth", "final": "cara", "discount": 0.9},
}
PLAYED = [(market, reward) for market in MARKETS for reward in REWARDS if (market, reward) != ("book", "entropic")]


@pytest.fixture(params=PLAYED, ids="-".join)
def played(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Settings, and a batch of them by a maker that trades."""
    market, reward = request.param
    config = build({"market": MARKETS[market], "reward": REWARDS[reward]})
    maker = heuristic() if market == "book" else fixed(0.6, 0.7)
    return config, rollout(config, maker, 1, 1, count=50, threads=1)


def _close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(host(found), host(wanted), rtol=1e-12, atol=1e-12)


def test_returns(played: tuple[Any, Any]) -> None:
    config, batch = played
    tensors = batch.on("cpu")
    assert batch.nnz > 0 and np.abs(batch.inventory).max() > 0
    for name in ("time", "cash", "inventory", "mid", "value"):
        np.testing.assert_array_equal(host(tensors.after(name)), batch.after(name))
    phi = potential(batch, config)
    _close(potential(tensors, config), phi)
    _close(shaped_rewards(tensors, potential(tensors, config), 0.9), shaped_rewards(batch, phi, 0.9))
    _close(following(tensors.value, tensors.offsets, tensors.final_value), batch.after("value"))
    _close(bootstrap_values(tensors, config, tensors.final_mid), bootstrap_values(batch, config, batch.final_mid))
    for one, other in zip(
        per_unit_of_utility(tensors, config, None), per_unit_of_utility(batch, config, None), strict=True
    ):
        _close(one, other)
    for expected in (None, lambda target: 0.5 * target):
        _close(risk_adjusted(tensors.reward, 0.3, expected), risk_adjusted(batch.reward, 0.3, expected))
    _close(normalised(tensors.value, 2.5), normalised(batch.value, 2.5))
    rate = np.full(batch.nnz, 0.9)
    _close(
        discounted_sums(tensors.reward, tensors.offsets, tensors.reward * 0 + 0.9),
        discounted_sums(batch.reward, batch.offsets, rate),
    )


def test_figures(played: tuple[Any, Any]) -> None:
    config, batch = played
    tensors, record = batch.on("cpu"), batch_record(batch)
    found = batch_record(tensors)
    assert found.keys() == record.keys()
    for name, number in record.items():
        assert found[name] == pytest.approx(number, rel=1e-9, abs=1e-12, nan_ok=True), name
    for one, other in zip(column_statistics(tensors.observation), column_statistics(batch.observation), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert Diagnostics().look(config, tensors, dict(record)) == Diagnostics().look(config, batch, dict(record))


def test_the_lowest_price() -> None:
    for prices in ([3.0, np.nan, 2.0], [np.inf, -np.inf, 5.0], [np.nan], []):
        assert least(torch.tensor(prices, dtype=torch.float64)) == least(np.array(prices, np.float64))


def test_what_is_wrong_with_a_batch_is_said_of_tensors_too() -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 20, "delta_centre": 40.0}})
    batch = rollout(config, fixed(40.0, 40.0), 1, 1, count=20, threads=1)
    lines = Diagnostics().look(config, batch, {})
    assert lines and Diagnostics().look(config, batch.on("cpu"), {}) == lines
