"""What a market maker can be asked to maximise; `reward.utility` chooses one.

All but CARA pay by the step: psi is the change of W + I S over the step (mark-to-market profit), revaluation the sum of
the inventory times each move of the mid within it, dt its length, `held` the inventory after it.
Utilities by the step are written with + - * and abs alone, so that scalars in a kernel and whole tensors (through
`py_func`) take them; CARA takes scalars and numpy arrays.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mmrl.kernels.elementary import exp, log
from mmrl.kernels.jit import inlined, inlined_fused, scalar_kernel

SIGN_BONUS_RATE = 10.0
"""The bonus for a change of inventory is weighted by exp(-rate * time left / T)."""
LN2 = math.log(2.0)
LARGEST_EXPONENT = 600.0
"""Of CARA utility, so that no float overflows."""


class Utility(IntEnum):
    """Utilities by the names of the setting, with - for _."""

    CUSTOM = 0
    LINEAR = 1
    CARA = 2
    MEAN_VARIANCE = 3
    INVENTORY_PENALTY = 4
    DAMPED = 5
    DAMPED_SYMMETRIC = 6
    GUO_LIN_HUANG = 7
    ENTROPIC = 8


class Final(IntEnum):
    """What the end pays, by the names of the setting."""

    NONE = 0
    VALUE = 1
    CARA = 2


class Reward(NamedTuple):
    """Coefficients of a reward."""

    utility: int
    wealth: float
    """Of the change of cash in a step (custom)."""
    pnl: float
    """Of the mark-to-market profit (custom)."""
    inventory_bonus: float
    """Of the sign of the inventory's change, weighted towards the end."""
    bonus_rate: float
    """Per unit of time left."""
    time_bonus: float
    """Of the time at the start of a step."""
    inventory_penalty: float
    """phi, of the inventory squared, per unit of time."""
    damping: float
    size_penalty: float
    aversion: float
    """gamma of mean-variance and entropic utility."""
    variance: float
    """Of the mid, per unit of time."""
    two_point: int
    """Whether the mid moves up or down by its standard deviation in every step, not by a normal number."""
    prices: np.ndarray
    """float64 [Q]: `price_of_move` of 0 to Q - 1 shares over a step of length `step`, for moves that are two-point."""
    step: float
    end_time: float
    final: int
    risk_aversion: float
    """r of the final CARA utility."""
    cara_alpha: float
    always_final: int
    """Pay the final reward also when the market terminates the episode."""
    final_penalty: float
    """alpha, of the final inventory squared."""


@inlined
def linear(psi):
    """Risk-neutral: the profit itself."""
    return psi


@inlined
def cara(value, risk_aversion, alpha, largest):
    """alpha - exp(-r V_T) of the final value (Lim & Gorse, ESANN 2018), the exponent bounded by `largest`."""
    return alpha - np.exp(np.minimum(-risk_aversion * value, largest))


@inlined
def mean_variance(psi, held, gamma, variance, dt):
    """psi - gamma/2 sigma^2 q^2 dt: mean less gamma/2 times the variance that the inventory brings (Cartea, Jaimungal
    & Penalva 2015, section 10.2, phi = gamma sigma^2 / 2); to second order the certainty equivalent of CARA utility."""
    return psi - 0.5 * gamma * variance * held * held * dt


@inlined_fused
def log_cosh(y):
    """ln cosh y for y >= 0, a series where y is small."""
    if y > 0.125:
        return y + log(1.0 + exp(-2.0 * y)) - LN2
    z = y * y  # the sum in pairs, which do not wait for each other
    last = (31.0 / 14175.0 - z * (691.0 / 935550.0)) + z * z * (10922.0 / 42567525.0)
    return z * ((0.5 - z * (1.0 / 12.0)) + z * z * ((1.0 / 45.0 - z * (17.0 / 2520.0)) + z * z * last))


@inlined
def price_of_move(held, gamma, variance, dt, two_point):
    """ln E exp(-gamma q dm) / gamma, the CARA price of holding q through a step in which the mid moves.

    gamma/2 sigma^2 q^2 dt for normal moves, ln cosh(gamma q sigma sqrt(dt)) / gamma for moves up or down by it.
    """
    if two_point:
        return log_cosh(gamma * abs(held) * math.sqrt(variance * dt)) / gamma
    return 0.5 * gamma * variance * held * held * dt


@scalar_kernel
def prices_of_moves(held, elapsed, gamma, variance, two_point):
    """`price_of_move` of each row [nnz]."""
    out = np.empty(held.size)
    for k in range(held.size):
        out[k] = price_of_move(held[k], gamma, variance, elapsed[k], two_point)
    return out


@inlined
def entropic(psi, revaluation, price):
    """psi - q dm - price: trading profit less the CARA price of the coming move of the mid (`price_of_move`).

    The noise of the mid is replaced by its certainty equivalent, so what is left to chance are the fills; the learner
    prices those by the exponential of each step's TD error (`mmrl.learn.returns`).
    """
    return psi - revaluation - price


@inlined
def inventory_penalty(psi, held, phi, dt):
    """psi - phi q^2 dt (Cartea, Jaimungal & Penalva 2015, section 10.2); alpha q_T^2 is due at the end."""
    return psi - phi * held * held * dt


@inlined
def damped(psi, revaluation, eta):
    """psi - max(0, eta q dm): gains from holding count less, losses in full (Spooner et al., AAMAS 2018, eq. 8)."""
    gain = eta * revaluation
    return psi - 0.5 * (gain + abs(gain))


@inlined
def damped_symmetric(psi, revaluation, eta):
    """psi - eta q dm: gains and losses from holding count less (Spooner et al., AAMAS 2018, eq. 7)."""
    return psi - eta * revaluation


@inlined
def guo_lin_huang(psi, revaluation, held, eta, zeta):
    """Damped profit + trading profit - zeta q^2 (Guo, Lin & Huang 2023): trading profit is psi without revaluation."""
    gain = eta * revaluation
    return psi - 0.5 * (gain + abs(gain)) + (psi - revaluation) - zeta * held * held


@inlined
def price_held(w, after):
    """`price_of_move` of the inventory after a step; 0 for utilities that have no price for it."""
    if w.utility != Utility.ENTROPIC:
        return 0.0
    size = abs(after.inventory)
    if size < w.prices.shape[0] and after.elapsed == w.step:
        return w.prices[size]
    return price_of_move(float(after.inventory), w.aversion, w.variance, after.elapsed, w.two_point)


@inlined
def _utility(w, utility, psi, revaluation, held, dt, price):
    if utility == Utility.LINEAR:
        return linear(psi)
    if utility == Utility.MEAN_VARIANCE:
        return mean_variance(psi, held, w.aversion, w.variance, dt)
    if utility == Utility.INVENTORY_PENALTY:
        return inventory_penalty(psi, held, w.inventory_penalty, dt)
    if utility == Utility.DAMPED:
        return damped(psi, revaluation, w.damping)
    if utility == Utility.DAMPED_SYMMETRIC:
        return damped_symmetric(psi, revaluation, w.damping)
    if utility == Utility.GUO_LIN_HUANG:
        return guo_lin_huang(psi, revaluation, held, w.damping, w.size_penalty)
    if utility == Utility.ENTROPIC:
        return entropic(psi, revaluation, price)
    return 0.0


@inlined
def reward_of_step(w, utility, inventory_bonus, before, after, price):
    """Reward of the step between two accounts where `price_held` is known.

    `utility` and `inventory_bonus` are those of w, apart from it: where they are constants, nothing is left of what
    they exclude.
    """
    held = float(after.inventory)
    psi = after.value - before.value
    if utility != Utility.CUSTOM:
        r = _utility(w, utility, psi, after.revaluation, held, after.elapsed, price)
    else:
        r = w.wealth * after.cash_change + w.pnl * psi - w.inventory_penalty * held * held * after.elapsed
    change = after.inventory - before.inventory
    if inventory_bonus > 0.0 and change != 0:
        weight = exp(-w.bonus_rate * (w.end_time - before.time))
        r += weight if change > 0 else -weight
    return r + w.time_bonus * before.time


@inlined
def step_reward(w, before, after):
    """Reward of the step between two accounts."""
    return reward_of_step(w, w.utility, w.inventory_bonus, before, after, price_held(w, after))


@inlined
def final_reward(w, account, early):
    """What the end of an episode pays; `early`: the market terminated it before its time."""
    q = float(account.inventory)
    r = -w.final_penalty * q * q
    if w.final == Final.NONE or (early and not w.always_final):
        return r
    if w.final == Final.VALUE:
        return r + account.value
    return r + cara(account.value, w.risk_aversion, w.cara_alpha, LARGEST_EXPONENT)
