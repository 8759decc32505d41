"""Policies and value network: small tanh networks, and the running normalisation of what they see."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmrl.learn.fused import tanh_network
from mmrl.rollout.weights import OBSERVATION_CLIP, PolicyWeights

LOG_STD_BOUNDS = (-5.0, 2.0)  # outside, exploration has died out or drowns every quote


class Network(nn.Module):
    """Tanh multilayer perceptron [rows, inputs] -> [rows, outputs], orthogonally initialised."""

    def __init__(self, inputs: int, outputs: int, layers: int, layer_size: int, final_gain: float) -> None:
        super().__init__()
        sizes = [inputs, *[layer_size] * layers, outputs]
        self.linear = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        for k, layer in enumerate(self.linear):
            # 5/3 keeps the variance through tanh; a small last layer starts every policy at its centre
            gain = 5 / 3 if k < layers else final_gain
            nn.init.orthogonal_(layer.weight, gain)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, observation: Tensor) -> Tensor:
        """Outputs [rows, outputs] of normalised observations [rows, inputs]."""
        return tanh_network(
            observation,
            [layer.weight for layer in self.linear],  # type: ignore[misc]
            [layer.bias for layer in self.linear],  # type: ignore[misc]
        )


class Policy(nn.Module):
    """A distribution over actions [rows, A] given normalised observations [rows, obs]."""

    network: Network

    def forward(self, observation: Tensor) -> Tensor:
        """Means or logits [rows, outputs]."""
        return self.network(observation)

    def log_prob_entropy(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability of the actions and entropy, summed over action dimensions, each [rows]."""
        raise NotImplementedError

    def sample(self, observation: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Actions [rows, A] and their log-probabilities [rows]; no gradient."""
        raise NotImplementedError

    def log_std_vector(self) -> Tensor:
        """The log standard deviations in use [A]; empty for a policy that has none."""
        return torch.empty(0)


class GaussianPolicy(Policy):
    """Independent normals: a mean network and one learnable log standard deviation per action dimension."""

    def __init__(self, inputs: int, actions: int, layers: int, layer_size: int, log_std: float) -> None:
        super().__init__()
        self.network = Network(inputs, actions, layers, layer_size, final_gain=0.01)
        self.log_std = nn.Parameter(torch.full((actions,), float(log_std)))

    def log_std_vector(self) -> Tensor:
        """The log standard deviations in use [A], clamped to LOG_STD_BOUNDS."""
        return self.log_std.clamp(*LOG_STD_BOUNDS)

    def log_prob_entropy(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy [rows] of actions [rows, A]."""
        mean, log_std = self(observation), self.log_std_vector()
        constant = -0.5 * np.log(2 * np.pi) * mean.shape[-1] - log_std.sum()
        standard = (action - mean) * torch.exp(-log_std)
        log_prob = constant - 0.5 * (standard * standard).sum(-1)
        entropy = (log_std + 0.5 * np.log(2 * np.pi * np.e)).sum()
        return log_prob, entropy.expand(log_prob.shape)

    @torch.no_grad()
    def sample(self, observation: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Actions [rows, A] and their log-probabilities [rows]."""
        mean, log_std = self(observation), self.log_std_vector()
        noise = torch.empty_like(mean).normal_(generator=generator)
        log_prob = -0.5 * (noise * noise).sum(-1) - 0.5 * np.log(2 * np.pi) * mean.shape[-1] - log_std.sum()
        return mean + log_std.exp() * noise, log_prob


class CategoricalPolicy(Policy):
    """Independent categoricals, one per action dimension; actions are grid indices stored as floats."""

    def __init__(self, inputs: int, choices: Sequence[int], layers: int, layer_size: int) -> None:
        super().__init__()
        self.choices = tuple(int(c) for c in choices)
        self.network = Network(inputs, sum(self.choices), layers, layer_size, final_gain=0.01)

    def log_prob_entropy(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy [rows] of grid indices [rows, A]."""
        logits = self(observation)
        log_prob, entropy = torch.zeros_like(logits[:, 0]), torch.zeros_like(logits[:, 0])
        for k, part in enumerate(logits.split(self.choices, dim=-1)):
            logs = part.log_softmax(-1)
            log_prob = log_prob + logs.gather(-1, action[:, k : k + 1].long()).squeeze(-1)
            entropy = entropy - (logs.exp() * logs).sum(-1)
        return log_prob, entropy

    @torch.no_grad()
    def sample(self, observation: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Grid indices [rows, A] as floats and their log-probabilities [rows]."""
        actions, log_prob = [], torch.zeros_like(observation[:, 0])
        for part in self(observation).split(self.choices, dim=-1):
            logs = part.log_softmax(-1)
            # Gumbel maximum: no host round trip, unlike multinomial's checks
            noise = torch.empty_like(logs).exponential_(generator=generator)
            index = (logs - noise.log()).argmax(-1, keepdim=True)
            actions.append(index.to(observation.dtype))
            log_prob = log_prob + logs.gather(-1, index).squeeze(-1)
        return torch.cat(actions, -1), log_prob


class ValueNetwork(nn.Module):
    """Normalised returns [rows] from normalised observations [rows, obs]."""

    def __init__(self, inputs: int, layers: int, layer_size: int) -> None:
        super().__init__()
        self.network = Network(inputs, 1, layers, layer_size, final_gain=1.0)

    def forward(self, observation: Tensor) -> Tensor:
        """Values [rows] in units of the return scale."""
        return self.network(observation).squeeze(-1)

    @torch.no_grad()
    def rescale(self, old: tuple[float, float], new: tuple[float, float]) -> None:
        """Keep the predicted returns unchanged when their (mean, std) moves from `old` to `new`."""
        last = self.network.linear[-1]
        last.weight.mul_(old[1] / new[1])  # type: ignore[operator]
        last.bias.mul_(old[1]).add_(old[0] - new[0]).div_(new[1])  # type: ignore[operator]


class RunningNormaliser:
    """Running mean and variance of columns [size], merged batch by batch (Chan, Golub and LeVeque 1979).

    `horizon` caps the weight of the past in rows (0: never forgets), for statistics that drift.
    """

    def __init__(self, size: int, horizon: float = 0.0) -> None:
        self.count = 0.0
        self.horizon = float(horizon)
        self.mean = np.zeros(size)
        self.var = np.ones(size)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation [size]; 1 for a column that has not varied yet."""
        std = np.sqrt(self.var)
        return np.where(std > 1e-8 * np.maximum(1.0, np.abs(self.mean)), std, 1.0)

    def update(self, rows: Any) -> None:
        """Merge raw rows [n, size]; non-finite input raises ValueError and changes nothing."""
        rows = np.asarray(rows.detach().cpu() if isinstance(rows, Tensor) else rows)
        rows = rows.reshape(-1, self.mean.size)
        if len(rows):
            mean, var = rows.mean(0, dtype=np.float64), rows.var(0, dtype=np.float64)
            self.merge(float(len(rows)), mean, var)

    def merge(self, count: float, mean: np.ndarray, var: np.ndarray) -> None:
        """Merge the statistics of `count` further rows, given their mean and variance [size]."""
        if not (np.isfinite(mean).all() and np.isfinite(var).all()):
            raise ValueError("statistics of non-finite observations cannot be merged")
        if self.horizon and self.count > self.horizon:
            self.count = self.horizon
        total = self.count + count
        delta = mean - self.mean
        if self.count == 0:
            self.mean, self.var = mean.copy(), var.copy()
        else:
            self.var = (self.count * self.var + count * var + delta**2 * self.count * count / total) / total
            self.mean = self.mean + delta * count / total
        self.count = total

    def normalise(self, raw: Tensor) -> Tensor:
        """Raw observations [rows, size] as the networks see them, float32, on their own device."""
        mean = torch.as_tensor(self.mean, dtype=torch.float32, device=raw.device)
        std = torch.as_tensor(self.std, dtype=torch.float32, device=raw.device)
        return ((raw - mean) / std).clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP)

    def raw(self, normalised: np.ndarray) -> np.ndarray:
        """Undo normalise() [rows, size] for rows that were not clipped."""
        return normalised * self.std.astype(np.float32) + self.mean.astype(np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        state = {"count": self.count, "horizon": self.horizon}
        return {**state, "mean": self.mean.tolist(), "var": self.var.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() gave."""
        self.count, self.horizon = float(state["count"]), float(state["horizon"])
        self.mean = np.asarray(state["mean"], dtype=np.float64)
        self.var = np.asarray(state["var"], dtype=np.float64)


def make_policy(config: Any, observations: int, actions: int) -> Policy:
    """The policy that a config asks for; `actions` is A (book: 4, avellaneda-stoikov: 2)."""
    p = config.policy
    if p.kind == "gaussian":
        return GaussianPolicy(observations, actions, p.layers, p.layer_size, p.log_std)
    sizes, deltas = len(p.size_grid), len(p.delta_grid)
    choices = (sizes, deltas) * 2 if actions == 4 else (deltas,) * actions
    return CategoricalPolicy(observations, choices, p.layers, p.layer_size)


def policy_weights(policy: Policy, normaliser: RunningNormaliser) -> PolicyWeights:
    """Copies of the policy's numbers as numpy arrays, for the compiled engine."""

    def host(tensor: Any) -> np.ndarray:
        return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32).copy()

    return PolicyWeights(
        layers=[(host(layer.weight.T), host(layer.bias)) for layer in policy.network.linear],  # type: ignore
        log_std=host(policy.log_std_vector()),
        obs_mean=normaliser.mean.astype(np.float32),
        obs_std=normaliser.std.astype(np.float32),
    )
