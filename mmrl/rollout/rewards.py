"""The coefficients of a config's reward, for every engine."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mmrl.kernels.reward import SIGN_BONUS_RATE, Final, Reward, Utility, prices_of_moves
from mmrl.markets.contract import market_named
from mmrl.settings.groups import Reward as Settings
from mmrl.settings.model import Config

_LOOKED_UP = 64
"""Shares up to which the price of a move is looked up."""


def enum_name(name: str) -> str:
    """The name of an enum's member for a choice of a setting."""
    return name.upper().replace("-", "_")


def reward_of(config: Config) -> Reward:
    """What a config pays for."""
    return _reward(config.reward, config.aversion, config.market)


@lru_cache(maxsize=8)
def _reward(reward: Settings, aversion: float, market: Any) -> Reward:
    """Remembered, since every rollout asks."""
    spec = market_named(market.name).spec(market)
    variance, step = spec.volatility**2, spec.end_time / spec.steps
    looked_up = reward.utility == "entropic" and spec.mid_moves == "two-point"
    rewarded = reward.step_kind != "none"  # without it the bonuses go too
    return Reward(
        utility=int(Utility[enum_name(reward.utility)]),
        wealth=1.0 / (spec.price * reward.max_dw) if reward.step_kind == "wealth" else 0.0,
        pnl=float(reward.step_kind == "pnl"),
        inventory_bonus=float(reward.add_inventory and rewarded),
        bonus_rate=SIGN_BONUS_RATE / spec.end_time,
        time_bonus=1.0 / spec.end_time if reward.add_time and rewarded else 0.0,
        inventory_penalty=reward.inventory_penalty,
        damping=reward.damping,
        size_penalty=reward.size_penalty,
        aversion=aversion,
        variance=variance,
        two_point=int(spec.mid_moves == "two-point"),
        prices=_prices(aversion, variance, step) if looked_up else np.zeros(0),
        step=step,
        end_time=spec.end_time,
        final=int(Final[enum_name(reward.final_kind)]),
        risk_aversion=reward.risk_aversion,
        cara_alpha=reward.cara_alpha,
        always_final=int(reward.always_final),
        final_penalty=reward.final_penalty,
    )


@lru_cache(maxsize=8)
def _prices(gamma: float, variance: float, step: float) -> np.ndarray:
    """What holding 0, 1, 2, ... shares through a step costs: to look that up takes a fraction of its logarithm."""
    prices: np.ndarray = prices_of_moves(np.arange(float(_LOOKED_UP)), np.full(_LOOKED_UP, step), gamma, variance, 1)
    return prices
