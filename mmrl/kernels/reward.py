"""What a market maker can be asked to maximise, each a pure function; `reward.utility` chooses one.

All but CARA pay by the step: psi is the change of W + I S over the step (mark-to-market profit), d_mid that of the mid
price, dt the length of the step. `held` is the inventory after the step's fills; `exposed` the inventory that the
move of the mid met: in the book, where the mid moves first, that before the step, in the game that after the fills.
Written with + - * and abs alone, so that scalars in a kernel and whole tensors (through `py_func`) take them.
"""

import math

from mmrl.kernels.jit import law

CODES = {
    "custom": 0,
    "linear": 1,
    "cara": 2,
    "mean-variance": 3,
    "inventory-penalty": 4,
    "damped": 5,
    "damped-symmetric": 6,
    "guo-lin-huang": 7,
    "entropic": 8,
}


@law
def linear(psi):
    """Risk-neutral: the profit itself."""
    return psi


@law
def cara(value, risk_aversion, alpha):
    """alpha - exp(-r V_T) of the final value (Lim & Gorse, ESANN 2018); bounded so that no float overflows."""
    return alpha - math.exp(min(-risk_aversion * value, 600.0))


@law
def mean_variance(psi, held, gamma, variance, dt):
    """psi - gamma/2 sigma^2 q^2 dt: mean less gamma/2 times the variance that the inventory brings (Cartea, Jaimungal
    & Penalva 2015, section 10.2, phi = gamma sigma^2 / 2); to second order the certainty equivalent of CARA utility."""
    return psi - 0.5 * gamma * variance * held * held * dt


@law
def entropic(psi, exposed, d_mid, held, gamma, variance, dt):
    """psi - q dm - gamma/2 sigma^2 q^2 dt: trading profit less the CARA price of the coming move of the mid.

    The noise of the mid is replaced by its certainty equivalent, so what is left to chance are the fills; the learner
    prices those by the exponential of each step's TD error (`mmrl.learn.returns`). Error of the price for a mid that
    moves by +- sigma sqrt(dt): (gamma sigma q)^4 dt^2 / (12 gamma).
    """
    return psi - exposed * d_mid - 0.5 * gamma * variance * held * held * dt


@law
def inventory_penalty(psi, held, phi, dt):
    """psi - phi q^2 dt (Cartea, Jaimungal & Penalva 2015, section 10.2); alpha q_T^2 is due at the end."""
    return psi - phi * held * held * dt


@law
def damped(psi, exposed, d_mid, eta):
    """psi - max(0, eta q dm): gains from holding count less, losses in full (Spooner et al., AAMAS 2018, eq. 8)."""
    gain = eta * exposed * d_mid
    return psi - 0.5 * (gain + abs(gain))


@law
def damped_symmetric(psi, exposed, d_mid, eta):
    """psi - eta q dm: gains and losses from holding count less (Spooner et al., AAMAS 2018, eq. 7)."""
    return psi - eta * exposed * d_mid


@law
def guo_lin_huang(psi, exposed, d_mid, held, eta, zeta):
    """Damped profit + trading profit - zeta q^2 (Guo, Lin & Huang 2023): trading profit is psi without revaluation."""
    gain = eta * exposed * d_mid
    return psi - 0.5 * (gain + abs(gain)) + (psi - exposed * d_mid) - zeta * held * held
