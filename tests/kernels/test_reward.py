"""Utilities: each function by hand, and both engines by the rows they wrote."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmrl.kernels import reward as u
from mmrl.kernels.account import Account
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.rollout.rewards import enum_name, reward_of
from mmrl.rollout.tensor import TensorEngine
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import field


def test_log_cosh_is_right_where_the_series_ends_and_far_away() -> None:
    y = np.concatenate([10.0 ** np.linspace(-7, 2, 400), np.nextafter(0.125, [0.0, 1.0])])
    long = y.astype(np.longdouble)
    want = np.log1p(2 * np.sinh(long / 2) ** 2)
    got = np.array([u.log_cosh(v) for v in y])
    np.testing.assert_allclose(got, want.astype(float), rtol=2e-14)
    assert u.log_cosh(0.0) == 0.0 and u.log_cosh(1e6) == pytest.approx(1e6 - math.log(2))


def test_by_hand() -> None:
    assert u.linear(1.5) == 1.5
    assert u.cara(2.0, 0.5, 3.0, 600.0) == pytest.approx(3 - math.exp(-1))
    assert math.isfinite(u.cara(-1e9, 1.0, 0.0, 600.0))
    assert u.mean_variance(1.5, -3, 0.1, 4.0, 0.5) == pytest.approx(1.5 - 0.05 * 4 * 9 * 0.5)
    assert u.inventory_penalty(1.5, -3, 0.2, 0.5) == pytest.approx(1.5 - 0.2 * 9 * 0.5)
    # 3 shares, the mid rises by 0.4: a gain of 1.2, half of which is taken away
    gain = 3 * 0.4
    assert u.damped(1.5, gain, 0.5) == pytest.approx(0.9)
    assert u.damped(1.5, -gain, 0.5) == 1.5
    assert u.damped_symmetric(1.5, gain, 0.5) == pytest.approx(0.9)
    assert u.damped_symmetric(1.5, -gain, 0.5) == pytest.approx(2.1)
    # trading profit 1.5 - 3 * 0.4, less 0.1 / 2 * 4 * 3^2 * 0.5
    assert u.entropic(1.5, gain, u.price_of_move(3, 0.1, 4.0, 0.5, 0)) == pytest.approx(0.3 - 0.9)
    # the mid moves up or down by sqrt(4 * 0.5): a game of +-0.3 sqrt(2), in units of 1/gamma
    assert u.price_of_move(-3, 0.1, 4.0, 0.5, 1) == pytest.approx(10 * math.log(math.cosh(0.3 * math.sqrt(2))))
    assert u.price_of_move(1000, 5.0, 4.0, 0.5, 1) == pytest.approx(1000 * math.sqrt(2) - math.log(2) / 5)
    # damped 0.9 + trading 1.5 - 1.2 - 0.01 * 4^2
    assert u.guo_lin_huang(1.5, gain, 4, 0.5, 0.01) == pytest.approx(0.9 + 0.3 - 0.16)


@pytest.mark.parametrize(("held", "steps"), [(0, 1), (1, 1), (-5, 1), (63, 1), (64, 1), (-200, 1), (3, 2)])
def test_a_price_that_is_looked_up_is_that_of_the_formula(held: int, steps: int) -> None:
    """For few shares and steps of the market's length; else the formula is asked."""
    config = build(
        {"market": {"name": "avellaneda-stoikov", "gamma": 0.4, "nt": 120}, "reward": {"utility": "entropic"}}
    )
    paid = reward_of(config)
    assert len(paid.prices) == 64 and paid.step == 1.0 / 120
    flat = Account(*(0.0,) * len(Account._fields))._replace(inventory=0, bought=0, sold=0)  # type: ignore[arg-type]
    after = flat._replace(inventory=held, elapsed=steps * paid.step)
    by_formula = u.step_reward(paid._replace(prices=np.zeros(0)), flat, after)
    assert u.step_reward(paid, flat, after) == by_formula
    risk = 0.4 * held * 2.0 * math.sqrt(steps / 120)
    assert -by_formula == pytest.approx(math.log(math.cosh(risk)) / 0.4, abs=1e-12)


def test_prices_are_looked_up_where_the_mid_moves_by_two_points_alone() -> None:
    for market, utility in (("avellaneda-stoikov", "linear"), ("book", "mean-variance")):
        assert len(reward_of(build({"market": {"name": market}, "reward": {"utility": utility}})).prices) == 0


def expected(config: Any, batch: Any) -> np.ndarray:
    """The reward of each row [nnz] from what the batch records, written out once more."""
    n = batch.count
    ends = batch.offsets[1:] - 1

    def after(rows: np.ndarray, final: np.ndarray) -> np.ndarray:
        following = np.append(rows[1:], 0).astype(float)
        following[ends] = final
        return following

    psi = after(batch.value, batch.final_value) - batch.value
    held = after(batch.inventory, batch.final_inventory)
    d_mid = after(batch.mid, batch.final_mid) - batch.mid
    book = config.market.name == "book"
    exposed = batch.inventory if book else held
    r, dt = config.reward, config.market.dt
    np.testing.assert_allclose(batch.revaluation, exposed * d_mid, rtol=1e-9, atol=1e-9)
    gain = r.damping * exposed * d_mid
    out = {
        "linear": psi,
        "cara": 0 * psi,
        "mean-variance": psi
        - (r.risk_aversion / 2 * 2.4e-3**2 if book else config.market.gamma / 2 * 4.0) * held**2 * dt,
        "inventory-penalty": psi - r.inventory_penalty * held**2 * dt,
        "damped": psi - np.maximum(gain, 0),
        "damped-symmetric": psi - gain,
        "guo-lin-huang": 2 * psi - np.maximum(gain, 0) - exposed * d_mid - r.size_penalty * held**2,
        "entropic": psi
        - exposed * d_mid
        - np.log(np.cosh(config.market.gamma * held * 2.0 * np.sqrt(dt))) / config.market.gamma,
    }[r.utility]
    out = out.copy()
    out[ends] -= r.final_penalty * batch.final_inventory.astype(float) ** 2
    if r.utility == "cara":
        out[ends] += r.cara_alpha - np.exp(-r.risk_aversion * batch.final_value)
    assert n == len(ends)
    return np.asarray(out)


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
@pytest.mark.parametrize("market", ["book", "avellaneda-stoikov"])
def test_both_engines_pay_the_utility(engine: str, market: str) -> None:
    choices = field("reward.utility").choices
    utilities = [name for name in choices if name != "custom" and (name != "entropic" or market != "book")]
    quoter = fixed(2, 0.3, 3, 0.4) if market == "book" else fixed(0.2, 0.4)
    for utility in utilities:
        reward: dict[str, Any] = {"utility": utility, "risk_aversion": 0.02, "cara_alpha": 1.0, "final_penalty": 0.03}
        if utility == "inventory-penalty":
            reward["inventory_penalty"] = 0.4
        config = build({"market": {"name": market, "nt": 40, "gamma": 0.3}, "reward": reward})
        if engine == "compiled":
            batch = rollout(config, quoter, 5, 0, count=10)
        else:
            batch = TensorEngine(config).rollout(quoter, None, 5, 0, 10).numpy()
        assert np.abs(batch.final_inventory).max() > 1
        np.testing.assert_allclose(batch.reward, expected(config, batch), rtol=1e-9, atol=1e-9, err_msg=utility)


def test_every_choice_has_its_number() -> None:
    assert [enum_name(name) for name in field("reward.utility").choices] == [kind.name for kind in u.Utility]
    assert [int(kind) for kind in u.Utility] == list(range(len(u.Utility)))
    assert {enum_name(name) for name in field("reward.final").choices} == {kind.name for kind in u.Final}


def test_refusals() -> None:
    with pytest.raises(ConfigError, match=r"needs reward\.inventory_penalty > 0"):
        build({"reward": {"utility": "inventory-penalty"}})
    with pytest.raises(ConfigError, match=r"is no part of reward\.utility = 'linear'"):
        build({"reward": {"utility": "linear", "inventory_penalty": 0.1}})
    with pytest.raises(ConfigError, match=r"needs the value function"):
        build(
            {"market": {"name": "avellaneda-stoikov"}, "reward": {"utility": "entropic"}, "training": {"noadv": True}}
        )
    with pytest.raises(ConfigError, match=r"takes every error of the value function for risk"):
        build({"reward": {"utility": "entropic"}})
    with pytest.raises(ConfigError, match="utility = 'quadratic' is not allowed: it must be one of custom, linear"):
        build({"reward": {"utility": "quadratic"}})
