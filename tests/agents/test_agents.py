"""Closed-form agents: the values their papers imply, and that each plays where its inputs exist."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.agents import AGENTS, agent, avellaneda_stoikov, cartea_jaimungal, distances, glft, symmetric
from mmrl.agents.inputs import Inputs
from mmrl.markets.contract import market_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.tensor import TensorEngine
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from tests.conftest import book_of


def given(**changes: Any) -> Inputs:
    values: dict[str, Any] = {"sigma": 2.0, "k": 1.5, "arrival": 140.0, "gamma": 0.1, "horizon": 1.0}
    return Inputs(**{**values, "phi": 0.01, "alpha": 0.001, "rows": 200, **changes})


def game(**market: Any) -> Config:
    return build({"market": {"name": "avellaneda-stoikov", "nt": 40, **market}})


def test_avellaneda_stoikov_by_hand() -> None:
    table = avellaneda_stoikov.quotes(given(rows=4), most=3)
    half = np.log(1 + 0.1 / 1.5) / 0.1
    np.testing.assert_allclose(table[0, 3], 0.2 + half)  # gamma sigma^2 T / 2
    np.testing.assert_allclose(table[2, 3 + 2], [0.1 + half + 2 * 0.2, 0.1 + half - 2 * 0.2])
    assert table[..., 1].min() < 0  # not clipped at 0


def test_frozen_prices_carry_the_factor_one_half() -> None:
    bid, ask = avellaneda_stoikov.frozen_prices(100.0, 3, 0.1, 2.0, 0.5)
    assert bid == pytest.approx(100 - 7 * 0.1 * 4 * 0.5 / 2)
    assert ask == pytest.approx(100 - 5 * 0.1 * 4 * 0.5 / 2)


def test_symmetric_is_the_time_average_of_the_inventory_strategy() -> None:
    i = given(rows=100_000)
    mean = avellaneda_stoikov.quotes(i, 0).sum(axis=-1).mean()
    assert 2 * symmetric.half_spread(i) == pytest.approx(mean, rel=1e-4)


def test_glft_check_values() -> None:
    i = given(sigma=0.3, arrival=0.9, k=0.3, gamma=0.01, horizon=600.0, rows=600)
    np.testing.assert_allclose(glft.coefficients(i), (1.35e-4, 0.325678, 0.067866), rtol=1e-5)
    table = glft.quotes(i, 30)
    np.testing.assert_allclose(table[0, [10, 30, 35, 50], 0], [1.95920, 3.31305, 3.65348, 4.66554], atol=6e-6)
    np.testing.assert_allclose(table[:, ::-1, 1], table[..., 0], rtol=1e-9)  # asks mirror bids
    np.testing.assert_allclose(glft.asymptotic(i, 3)[0, :, 0], np.log1p(1 / 30) / 0.01 + 0.067866 * (
        np.arange(-3, 4) + 0.5), atol=1e-5)  # fmt: skip
    assert abs(glft.asymptotic(i, 30)[0, 35, 0] - table[0, 35, 0]) < 0.01


def test_cartea_jaimungal_check_values() -> None:
    i = given()
    assert cartea_jaimungal.worth(i, 100)[0, 100] == pytest.approx(68.255835, abs=5e-7)
    table = cartea_jaimungal.quotes(i, 100)
    np.testing.assert_allclose(table[0, 100], 0.672137, atol=5e-7)
    np.testing.assert_allclose(table[0, 101], [0.683078, 0.661196], atol=5e-7)
    assert np.isfinite(table).all()


def test_agreement_with_a_matrix_exponential() -> None:
    """ln v against scipy's expm where that is accurate, with other parameters."""
    expm = pytest.importorskip("scipy.linalg").expm
    i = given(sigma=1.1, k=0.8, arrival=3.0, gamma=0.4, horizon=2.0, rows=8)
    alpha, eta, _ = glft.coefficients(i)
    q = np.arange(-6, 7)
    m = np.diag(alpha * q**2.0) - eta * (np.eye(13, k=1) + np.eye(13, k=-1))
    for row in (0, 5):
        v = expm(-m * i.time_left[row]) @ np.ones(13)
        want = np.log(v[:-1] / v[1:]) / i.k + np.log1p(i.gamma / i.k) / i.gamma
        np.testing.assert_allclose(glft.quotes(i, 6)[row, :-1, 0], want, rtol=1e-10)


@pytest.mark.parametrize("name", [*AGENTS, "fixed:0.4"])
def test_every_agent_plays_the_game_in_both_engines(name: str) -> None:
    config = game()
    if name == "naive":
        with pytest.raises(
            ConfigError, match="needs a market with a simple maker of its own, 'avellaneda-stoikov' is not one"
        ):
            agent(name, config)
        return
    quoter = agent(name, config)
    table = distances(quoter, config)
    assert table is not None
    assert table.shape[0] == 40 and np.isfinite(table).all()
    one = rollout(config, quoter, 1, 0, count=300)
    two = TensorEngine(config).rollout(quoter, None, 1, 0, 300).numpy()
    reach = (table.shape[1] - 1) // 2
    for batch in (one, two):
        want = table[batch.step, np.clip(batch.inventory, -reach, reach) + reach]
        np.testing.assert_allclose(batch.mid - batch.bid, want[:, 0], atol=1e-4)
        np.testing.assert_allclose(batch.ask - batch.mid, want[:, 1], atol=1e-4)
    error = np.hypot(one.final_value.std(), two.final_value.std()) / np.sqrt(300)
    assert abs(one.final_value.mean() - two.final_value.mean()) < 4 * error


SEARCHED = [pytest.param(name, marks=pytest.mark.nightly) for name in AGENTS if name.startswith("best-")]


@pytest.mark.parametrize("name", [*(name for name in AGENTS if not name.startswith("best-")), *SEARCHED, "fixed:3@0.5"])
def test_every_agent_plays_the_book(name: str) -> None:
    config = build({"market": {"nt": 30}})
    if name == "optimum":
        with pytest.raises(ConfigError, match="needs a market that can be solved"):
            agent(name, config)
        return
    quoter = agent(name, config)
    batch = rollout(config, quoter, 1, 0, count=20)
    if name != "naive" and not name.startswith("best"):
        size = 3.0 if "@" in name else 1.0
        assert (batch.action[:, [0, 2]] == size).all()
        assert (batch.action[:, [1, 3]] > 0).any() and np.abs(batch.final_inventory).max() > 0
    tensor = TensorEngine(config).rollout(quoter, None, 1, 0, 20).numpy()
    assert tensor.nnz > 0 and np.isfinite(tensor.final_value).all()


def test_book_table_follows_time_and_inventory() -> None:
    from mmrl.rollout.quoters import table

    config = build({"market": {"nt": 40}})
    quotes = np.zeros((4, 3, 4))
    quotes[..., 0] = quotes[..., 2] = 1.0
    quotes[..., 1] = 0.3 + 0.1 * np.arange(4)[:, None]
    quotes[..., 3] = 0.5 + 0.1 * np.arange(3)[None, :]
    batch = rollout(config, table(quotes), 2, 0, count=5)
    np.testing.assert_allclose(batch.action[:, 1], 0.3 + 0.1 * (batch.step // 10), rtol=1e-6)
    np.testing.assert_allclose(batch.action[:, 3], 0.6 + 0.1 * np.clip(batch.inventory, -1, 1), rtol=1e-6)
    assert len(np.unique(batch.inventory)) > 2


def test_the_tangent_of_the_book() -> None:
    config = build({})
    fill_curve = market_of(config).fill_curve
    assert fill_curve is not None
    k, arrival = fill_curve(config.market)
    b, d = book_of(config).intensity, 3.26
    log = b[0] + b[1] * np.log1p(d) + b[2] * np.log1p(d) ** 2 + b[3] * np.log(2) + b[4] * np.log(2) ** 2
    rate = np.exp(log + b[5] * np.log1p(d + 1))
    assert arrival * np.exp(-k * d) == pytest.approx(rate, rel=1e-3)  # a fresh share earns most at 3.26
    assert 0.9 < k < 1.2


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="unknown agent 'symetric': did you mean 'symmetric'"):
        agent("symetric", game())
    with pytest.raises(ConfigError, match="unknown agent 'zzz': there are naive, symmetric"):
        agent("zzz", game())
    with pytest.raises(ConfigError, match="takes nothing after a colon"):
        agent("glft:3", game())
    for bad in ("fixed:x", "fixed:inf", "fixed:2@0.5"):
        with pytest.raises(ConfigError, match=f"agent '{bad}' is not allowed"):
            agent(bad, game())
    with pytest.raises(ConfigError, match="is not allowed"):
        agent("fixed:-1", build({}))
