"""Returns, baselines and advantages as segment operations over the CSR batch.

With G_t the discounted return and Phi_t the known worth of the position (see `potential`), everything here
works on the residual H_t = G_t - Phi_t: its rewards are r_t + discount * Phi_{t+1} - Phi_t, Phi after the end
being 0 (potential-based shaping, Ng, Harada and Russell 1999). Phi_t depends on nothing the action of
row t decides, so the policy gradient keeps its expectation and loses most of its variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmrl.kernels.jit import kernel
from mmrl.kernels.reward import cara
from mmrl.learn.compiled_pass import network_outputs
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import ValueNetwork, network_weights
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.model import Config

Float64 = npt.NDArray[np.float64]
EXPONENT = 3.0  # beyond it a single TD error would rule the whole batch
LARGEST_BASELINE_EXPONENT = 30.0  # of CARA utility, far below what the reward itself may reach
SCALE_MEMORY = 9.0  # batches that the running return scale remembers beside the newest


class Diverged(ArithmeticError):
    """Training met a number that is not finite; `what` names the first bad quantity."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not finite; the learning rate may be too high")
        self.what = what


@kernel
def lambda_returns(
    reward: Float64,
    value: Float64,
    offsets: npt.NDArray[np.int64],
    bootstrap: Float64,
    discount: float,
    lambd: float,
    aversion: float = 0.0,
) -> Float64:
    """G_t = r_t + discount ((1 - lambd) V_{t+1} + lambd G_{t+1}) for each row [nnz].

    Beyond the last row of trajectory n both V and G are bootstrap[n]; lambd = 1 gives Monte Carlo returns.
    With aversion a > 0 each TD error d_t = r_t + discount V_{t+1} - V_t counts as (1 - exp(-a d_t)) / a (Mihatsch &
    Neuneier, Machine Learning 49, 2002): V then tends to the certainty equivalent -ln E exp(-a G) / a.
    """
    out = np.empty(reward.size)
    for n in range(offsets.size - 1):
        next_value = bootstrap[n]
        next_return = bootstrap[n]
        for k in range(offsets[n + 1] - 1, offsets[n] - 1, -1):
            error = reward[k] + discount * next_value - value[k]
            if aversion > 0.0:
                error = -math.expm1(min(-aversion * error, EXPONENT)) / aversion
            next_return = value[k] + error + discount * lambd * (next_return - next_value)
            next_value = value[k]
            out[k] = next_return
    return out


def potential(batch: Trajectories, config: Config) -> Float64:
    """Phi_t [nnz]: the final reward if the position stayed as it is, discounted; 0 without one."""
    kind, discount = config.reward.final_kind, config.reward.discount
    if kind == "none":
        return np.zeros(batch.nnz)
    worth = batch.value
    if kind == "cara":  # bounded, since a baseline may be anything but infinite
        worth = cara.py_func(worth, config.reward.risk_aversion, config.reward.cara_alpha, LARGEST_BASELINE_EXPONENT)
    # the planned end, not the actual one: a baseline must not know when the trajectory will end
    return discount ** np.maximum(config.market.nt - 1 - batch.step.astype(np.float64), 0.0) * worth


def shaped_rewards(batch: Trajectories, phi: Float64, discount: float) -> Float64:
    """r_t + discount * Phi_{t+1} - Phi_t for each row [nnz], with Phi = 0 after a trajectory's last row."""
    following = np.zeros_like(phi)
    following[:-1] = phi[1:]
    ends = batch.offsets[1:][batch.offsets[1:] > batch.offsets[:-1]] - 1
    following[ends] = 0.0
    return batch.reward + discount * following - phi


def bootstrap_values(batch: Trajectories, config: Config, last_value: Float64) -> Float64:
    """Value beyond the last row [N]: V(last observation) where time cut the trajectory off, else 0.

    Time cuts off only with reward.time_limit "cuts" (Pardo et al. 2018); else the end is worth 0.
    """
    if config.reward.time_limit == "ends":
        return np.zeros(batch.count)
    return np.where(batch.terminated, 0.0, last_value)


@dataclass(frozen=True)
class LearningBatch:
    """What one update needs, on the learner's device; nnz rows, live steps only."""

    observation: Tensor  # float32 [nnz, obs]
    action: Tensor  # float32 [nnz, A]
    log_prob: Tensor  # float32 [nnz], under the policy that acted
    advantage: Tensor  # float32 [nnz], mean 0 and standard deviation 1 over the batch
    target: Tensor  # float32 [nnz], returns in units of the return scale
    explained_variance: float  # of the residual returns by the value network, before the update


def predict(network: ValueNetwork, observation: Tensor, threads: int = 1) -> Float64:
    """The value network's outputs [rows] in units of the return scale."""
    if observation.device.type == "cpu":
        return network_outputs(observation.numpy(), network_weights(network.network), threads)[:, 0].astype(np.float64)
    with torch.no_grad():
        return network(observation).cpu().numpy().astype(np.float64)  # type: ignore[no-any-return]


def normalised(advantage: Float64) -> Float64:
    """Advantages shifted and scaled to mean 0 and standard deviation 1 [nnz]."""
    centred = advantage - advantage.mean()
    return centred / (centred.std() + 1e-8)


def learning_batch(
    batch: Trajectories,
    config: Config,
    network: ValueNetwork | None,
    scale: RunningNormaliser,
    device: torch.device | str = "cpu",
    threads: int = 1,
) -> LearningBatch:
    """Returns, advantages and value targets of a batch; moves the return scale, and `network` with it.

    `network` is None with noadv. Raises NoLiveSteps on an empty batch, Diverged on non-finite returns.
    """
    batch = batch.without_padding().require_live()
    observation = torch.as_tensor(batch.observation).to(device)
    last = torch.as_tensor(batch.last_observation).to(device)
    batch = batch.numpy()
    discount, lambd = config.reward.discount, config.training.lambd if config.training.td else 1.0
    value, last_value = np.zeros(batch.nnz), np.zeros(batch.count)
    known = network is not None and scale.count > 0  # before the first batch the scale means nothing
    if network is not None and known:
        value = scale.mean[0] + scale.std[0] * predict(network, observation, threads)
        last_value = scale.mean[0] + scale.std[0] * predict(network, last, threads)
    rewards = shaped_rewards(batch, potential(batch, config), discount)
    bootstrap = bootstrap_values(batch, config, last_value)
    aversion = config.aversion if config.reward.utility == "entropic" else 0.0
    returns = lambda_returns(rewards, value, batch.offsets, bootstrap, discount, lambd, aversion)
    named = {"reward": rewards, "value prediction": value, "return": returns, "log probability": batch.log_prob}
    for name, numbers in named.items():
        if not np.isfinite(numbers.sum()) and not np.isfinite(numbers).all():
            raise Diverged(name)
    old = float(scale.mean[0]), float(scale.std[0])
    scale.horizon = SCALE_MEMORY * batch.nnz
    scale.update(returns)
    if network is not None and known:
        network.rescale(old, (float(scale.mean[0]), float(scale.std[0])))
    spread = float(returns.var())
    explained = 1.0 - float((returns - value).var()) / spread if spread > 0 else float("nan")

    def to_device(array: Any) -> Tensor:
        return torch.as_tensor(np.asarray(array, dtype=np.float32)).to(device)

    return LearningBatch(
        observation=observation,
        action=to_device(batch.action),
        log_prob=to_device(batch.log_prob),
        advantage=to_device(normalised(returns - value)),
        target=to_device((returns - scale.mean[0]) / scale.std[0]),
        explained_variance=explained,
    )
