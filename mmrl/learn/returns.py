"""Returns, baselines and advantages as segment operations over the CSR batch.

With G_t the discounted return and Phi_t the known worth of the position (see `potential`), everything here
works on the residual H_t = G_t - Phi_t: its rewards are r_t + discount * Phi_{t+1} - Phi_t, Phi after the end
being 0 (potential-based shaping, Ng, Harada and Russell 1999). Phi_t depends on nothing the action of
row t decides, so the policy gradient keeps its expectation and loses most of its variance.

All is computed where the learner works: on CUDA columns are tensors there, else arrays of numpy; both in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mmrl.kernels.reward import cara, prices_of_moves
from mmrl.learn.compiled_pass import Rows
from mmrl.learn.discounting import discounted_sums
from mmrl.learn.value import Regression, ValueFunction
from mmrl.markets.contract import spec_of
from mmrl.rollout.arrays import Column, beside, doubles, following, host, library, placed, singles, std, variance
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.model import Config

EXPONENT = 3.0  # beyond it a single TD error would rule the whole batch
LEAST_MOMENT = 0.8  # of E exp(-a (d - E d)), which is 1 at least; its estimate is noisy
VALUE_LAMBDA = 0.95  # at least, for the fit of V: TD errors of too short a sight carry its level back too slowly
FIRST_SWEEPS = 4  # fits to the first batch, before which V knows nothing
LEAST_UTILITY = 0.1
"""Of E exp(-r (V_T - V_t - c_t)), by which CARA advantages are divided: states of much risk would rule the batch. It is
known at time t and positive, so every state keeps its best action."""
LARGEST_BASELINE_EXPONENT = 30.0  # of CARA utility, far below what the reward itself may reach


Expectation = Callable[[Column], Column]
"""Of a target given the observation [nnz]."""


class Diverged(ArithmeticError):
    """Training met a number that is not finite; `what` names the first bad quantity."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not finite; the learning rate may be too high")
        self.what = what


def risk_adjusted(error: Column, aversion: float, expected: Expectation | None) -> Column:
    """TD errors d [nnz] for entropic utility: those whose expectation is 0 where V is the certainty equivalent.

    With b = E[d|s] and m = E[exp(-a (d - b))|s] the certainty equivalent of d is b - ln(m) / a, and
        u = b - ln(m) / a - (exp(-a (d - b)) - m) / (a m)
    has it as its expectation: a wrong level of V is no risk. `expected` estimates expectations given the observation
    [nnz]; without it u = (1 - exp(-a d)) / a (Mihatsch & Neuneier, Machine Learning 49, 2002), of the same fixed point.
    """
    lib = library(error)
    if expected is None:
        return -lib.expm1(lib.clip(-aversion * error, None, EXPONENT)) / aversion
    mean = expected(error)
    exponential = lib.exp(lib.clip(-aversion * (error - mean), None, EXPONENT))
    moment = lib.clip(expected(exponential), LEAST_MOMENT, None)
    return mean - lib.log(moment) / aversion - (exponential - moment) / (aversion * moment)


def potential(batch: Trajectories, config: Config) -> Column:
    """Phi_t [nnz]: the final reward if the position stayed as it is, discounted; 0 without one."""
    kind, discount = config.reward.final_kind, config.reward.discount
    if kind == "none":
        return library(batch.reward).zeros_like(batch.reward)
    worth = batch.value
    if kind == "cara":  # bounded, since a baseline may be anything but infinite
        r, alpha = config.reward.risk_aversion, config.reward.cara_alpha
        worth = beside(cara.py_func(host(worth), r, alpha, LARGEST_BASELINE_EXPONENT), worth)
    if discount == 1.0:
        return worth
    # the planned end, not the actual one: a baseline must not know when the trajectory will end
    discounts = beside(discount ** np.arange(config.market.nt, dtype=np.float64), worth)
    if isinstance(worth, np.ndarray) and (batch.lengths == config.market.nt).all():  # all lived as long as planned
        return (worth.reshape(batch.count, -1) * discounts[::-1]).ravel()
    return discounts[library(worth).clip(config.market.nt - 1 - batch.step, 0, None)] * worth


def per_unit_of_utility(batch: Trajectories, config: Config, expected: Expectation | None) -> tuple[Column, Column]:
    """Rewards and discount factors [nnz] of a final CARA utility alone, its rows weighed by exp(r (V_t + c_t)).

    c_t is the expected gain until the end given the observation, 0 after the end and where nothing estimates it. With
    f_t = exp(-r (V_(t+1) + c_(t+1) - V_t - c_t)) the return from row t on, (1 - exp(-r (V_T - V_t - c_t))) / r, is
    (1 - f_t) / r plus f_t times that of the next row. The weights are positive and known at time t, so every state
    keeps its best action; without them a trajectory that has earned much, or has long to go, would hardly count. Where
    nothing depends on the mid's moves, the expectation over them is taken exactly, given the fills: each gain q dm is
    replaced by less its price.
    """
    r, value, spec, lib = config.reward.risk_aversion, batch.value, spec_of(config), library(batch.value)
    change = batch.after("value") - value
    if spec.mid_moves:
        held, elapsed = doubles(batch.after("inventory")), batch.after("time") - batch.time
        moves = (host(held), host(elapsed), r, spec.volatility**2, int(spec.mid_moves == "two-point"))
        change = change - held * (batch.after("mid") - batch.mid) - beside(prices_of_moves(*moves), held)
    if expected is not None:
        to_come = expected(discounted_sums(change, batch.offsets, lib.ones_like(change)))
        change = change + following(to_come, batch.offsets, lib.zeros_like(batch.final_value)) - to_come
    factor = lib.exp(lib.clip(-r * change, -LARGEST_BASELINE_EXPONENT, LARGEST_BASELINE_EXPONENT))
    rewards = (1.0 - factor) / r
    ends = batch.offsets[1:][batch.offsets[1:] > batch.offsets[:-1]] - 1
    unpaid = ends[batch.reward[ends] == 0.0]
    rewards[unpaid] = 1.0 / r
    return rewards, factor


def shaped_rewards(batch: Trajectories, phi: Column, discount: float) -> Column:
    """r_t + discount * Phi_{t+1} - Phi_t for each row [nnz], with Phi = 0 after a trajectory's last row."""
    nothing = library(phi).zeros_like(batch.final_value)
    return batch.reward + discount * following(phi, batch.offsets, nothing) - phi


def bootstrap_values(batch: Trajectories, config: Config, last_value: Column) -> Column:
    """Value beyond the last row [N]: V(last observation) where time cut the trajectory off, else 0.

    Time cuts off only with reward.time_limit "cuts" (Pardo et al. 2018); else the end is worth 0.
    """
    lib = library(last_value)
    if config.reward.time_limit == "ends":
        return lib.zeros_like(last_value)
    return lib.where(batch.terminated, 0.0, last_value)


@dataclass(frozen=True)
class LearningBatch:
    """What one update needs, on the learner's device; nnz rows, live steps only."""

    observation: Column  # float32 [nnz, obs]
    action: Column  # float32 [nnz, A]
    log_prob: Column  # float32 [nnz], under the policy that acted
    advantage: Column  # float32 [nnz], mean 0 and standard deviation 1 over the batch
    explained_variance: float = math.nan  # of the returns by the value function, before it was fitted to them
    value_loss: float = 0.0  # half the variance of the returns that the fit leaves, as a share of theirs

    @classmethod
    def of(cls, rows: Iterable[Column]) -> LearningBatch:
        """Of the four columns alone."""
        observation, action, log_prob, advantage = rows
        return cls(observation, action, log_prob, advantage)

    @property
    def rows(self) -> Rows:
        """The four columns."""
        return Rows(self.observation, self.action, self.log_prob, self.advantage)


def normalised(advantage: Column, deviation: float) -> Column:
    """Advantages [nnz] of this standard deviation, shifted and scaled to mean 0 and standard deviation 1."""
    return (advantage - advantage.mean()) / (deviation + 1e-8)


def monte_carlo_returns(rewards: Column, factor: Column, offsets: Column, beyond: Column, threads: int = 1) -> Column:
    """G_t = r_t + discount_t G_(t+1) for each row [nnz]; beyond the last row of trajectory n it is beyond[n]."""
    if beyond.any():
        rewards = rewards + factor * following(library(rewards).zeros_like(rewards), offsets, beyond)
    returns = discounted_sums(rewards, offsets, factor, threads)
    _require_finite({"return": returns})
    return returns


def lambda_returns(
    value: Column, errors: Column, factor: Column, offsets: Column, lambd: float, threads: int = 1
) -> Column:
    """TD(lambda): G_t = V_t + sum_k (discount lambda)^k d_(t+k) for each row [nnz].

    d_t = r_t + discount V_(t+1) - V_t are the TD errors, for entropic utility adjusted for risk. lambda = 1 gives Monte
    Carlo returns.
    """
    returns = value + discounted_sums(errors, offsets, factor * lambd, threads)
    _require_finite({"return": returns})
    return returns


def learning_batch(
    batch: Trajectories,
    config: Config,
    function: ValueFunction | None,
    device: str = "cpu",
    threads: int = 1,
) -> LearningBatch:
    """Returns and advantages of a batch; fits the value function to it.

    The baseline of the advantages is the least squares fit to these very returns: its few weights leave the gradient
    unbiased but for a share weights / nnz. `function` is None with noadv. Raises NoLiveSteps on an empty batch,
    Diverged on non-finite returns.
    """
    batch = batch.without_padding().require_live()
    observation, last = placed(batch.observation, device), placed(batch.last_observation, device)
    batch = batch.on(device) if device == "cuda" else batch.numpy()
    discount, lambd = config.reward.discount, config.training.lambd if config.training.td else 1.0
    aversion = config.aversion if config.reward.utility == "entropic" else 0.0
    regression = None if function is None else Regression(function, observation, threads)
    expected = None if regression is None else regression.expectation
    if config.reward.utility == "cara":
        # V goes on from batch to batch, and c_t is of this one: only returns without V may be counted from it
        rewards, factor = per_unit_of_utility(batch, config, expected if lambd == 1.0 else None)
    else:
        rewards = shaped_rewards(batch, potential(batch, config), discount)
        factor = library(rewards).full_like(rewards, discount)
    _require_finite({"reward": rewards, "action": batch.action, "log probability": batch.log_prob})

    def beyond(function: ValueFunction | None) -> Column:
        """V beyond the last row of each trajectory [N], where time cut it off."""
        if function is None or regression is None or config.reward.time_limit == "ends":
            return library(rewards).zeros_like(doubles(batch.final_value))
        return bootstrap_values(batch, config, regression.predict(function.weight, last))

    explained = math.nan
    if function is None or regression is None:
        returns = monte_carlo_returns(rewards, factor, batch.offsets, beyond(None), threads)
        baseline = library(returns).zeros_like(returns)
    else:
        weight, known, varying = function.weight, function.fits > 0, None
        _require_finite({"value function": weight})  # the next one is made of it, also where no return is
        if lambd == 1.0 and not aversion:
            returns = monte_carlo_returns(rewards, factor, batch.offsets, beyond(function), threads)
            fit = regression.fit(returns)
            function.learn(fit)
        else:
            for _ in range(1 if known else FIRST_SWEEPS):
                found = regression.varying(function.weight)
                value, after = found + float(function.weight[-1]), beyond(function)
                varying = regression.fitted_of(found)
                del found
                _require_finite({"value prediction": value})
                errors = rewards + factor * following(value, batch.offsets, after) - value
                errors = risk_adjusted(errors, aversion, expected) if aversion else errors
                returns = lambda_returns(value, errors, factor, batch.offsets, max(lambd, VALUE_LAMBDA), threads)
                fit = regression.fit(returns)
                function.learn(fit)
            if lambd < VALUE_LAMBDA:
                returns = lambda_returns(value, errors, factor, batch.offsets, lambd, threads)
                fit = regression.fit(returns)
        explained = 1.0 - regression.unexplained(returns, weight, varying) if known else math.nan
        features = regression.features
        # here a training holds the most memory: features of many rows and columns of all
        del regression, expected, rewards, factor, varying
        baseline = features.sums(observation, fit)
    advantage = returns - baseline
    spread, left = variance(returns), variance(advantage)
    del returns
    deviation = math.sqrt(left)
    if config.reward.utility == "cara" and lambd == 1.0 and function is not None:
        advantage /= library(baseline).clip(1.0 - config.reward.risk_aversion * baseline, LEAST_UTILITY, None)
        deviation = std(advantage)

    return LearningBatch(
        observation=observation,
        action=placed(singles(batch.action), device),
        log_prob=placed(singles(batch.log_prob), device),
        advantage=placed(singles(normalised(advantage, deviation)), device),
        explained_variance=explained,
        value_loss=0.5 * left / spread if spread > 0 else 0.0,
    )


def _require_finite(named: Mapping[str, Column]) -> None:
    for name, numbers in named.items():
        if not math.isfinite(float(numbers.sum())) and not library(numbers).isfinite(numbers).all():
            raise Diverged(name)
