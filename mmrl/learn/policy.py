"""Policies: small tanh networks of normalised observations."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmrl.learn.compiled_pass import Weights
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.markets.contract import spec_of
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.groups import LOG_STD_BOUNDS
from mmrl.settings.model import Config

SKIP = "network.skip.weight"
"""The linear map of the inputs among a policy's parameters."""


class Network(nn.Module):
    """Tanh multilayer perceptron plus a linear map of the inputs, [rows, inputs] -> [rows, outputs].

    Orthogonally initialised, the linear map with zeros. Without it quotes stop moving where the hidden units saturate.
    """

    def __init__(self, inputs: int, outputs: int, layers: int, layer_size: int, final_gain: float) -> None:
        super().__init__()
        sizes = [inputs, *[layer_size] * layers, outputs]
        self.linear = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        for k, layer in enumerate(self.linear):
            # 5/3 keeps the variance through tanh; a small last layer starts every policy at its centre
            gain = 5 / 3 if k < layers else final_gain
            nn.init.orthogonal_(layer.weight, gain)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.skip = nn.Linear(inputs, outputs, bias=False)
        nn.init.zeros_(self.skip.weight)
        self.in_order = list(self.parameters())
        """The parameters; walking the modules for them takes longer than a small minibatch."""
        self._places: list[int] = []
        self._flat: list[np.ndarray] = []

    def forward(self, observation: Tensor) -> Tensor:
        """Outputs [rows, outputs] of normalised observations [rows, inputs]."""
        hidden = observation
        for layer in self.linear[:-1]:
            hidden = torch.tanh(layer(hidden))
        outputs: Tensor = self.linear[-1](hidden) + self.skip(observation)
        return outputs

    def flat(self) -> list[np.ndarray]:
        """The parameters' memory on a CPU, each flat; kept as long as it is the same, to spare minibatches torch."""
        places = [p.data_ptr() for p in self.in_order]
        if places != self._places:
            self._places, self._flat = places, [p.detach().view(-1).numpy() for p in self.in_order]
        return self._flat


def network_weights(network: Network) -> Weights:
    """A network's numbers as one vector, in the order of its parameters."""
    return Weights(np.concatenate(network.flat()), np.array(network_sizes(network), np.int64))


def network_sizes(network: Network) -> tuple[int, ...]:
    """Inputs, then outputs of each layer."""
    return network.in_order[0].shape[1], *(p.shape[0] for p in network.in_order[:-1:2])


def _host(tensor: Any) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32).copy()


class Policy(nn.Module, ABC):
    """A distribution over actions [rows, A] given normalised observations [rows, obs]."""

    network: Network

    def forward(self, observation: Tensor) -> Tensor:
        """Means or logits [rows, outputs]."""
        return self.network(observation)

    @abstractmethod
    def log_prob_entropy(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probability of the actions and entropy, summed over action dimensions, each [rows]."""

    @abstractmethod
    def sample(self, observation: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Actions [rows, A] and their log-probabilities [rows]; no gradient."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take the parameters of a checkpoint; before networks had a linear map there was none to save."""
        self.load_state_dict({SKIP: torch.zeros_like(self.network.skip.weight), **state})

    def log_std_vector(self) -> Tensor:
        """The log standard deviations in use [A]; empty for a policy that has none."""
        return torch.empty(0)

    def confine(self) -> None:
        """Put parameters that have bounds back to them, after a step."""

    def weights(self, normaliser: RunningNormaliser) -> PolicyWeights:
        """Copies of the policy's numbers as numpy arrays, for the compiled engine."""
        return PolicyWeights(
            layers=[(_host(layer.weight.T), _host(layer.bias)) for layer in self.network.linear],  # type: ignore
            log_std=_host(self.log_std_vector()),
            obs_mean=normaliser.mean.astype(np.float32),
            obs_std=normaliser.std.astype(np.float32),
            skip=_host(self.network.skip.weight.T),
        )


class GaussianPolicy(Policy):
    """Independent normals: a mean network and one learnable log standard deviation per action dimension."""

    def __init__(self, inputs: int, actions: int, layers: int, layer_size: int, log_std: float) -> None:
        super().__init__()
        self.network = Network(inputs, actions, layers, layer_size, final_gain=0.01)
        self.log_std = nn.Parameter(torch.full((actions,), float(log_std)))
        self.register_load_state_dict_post_hook(lambda policy, _: policy.confine())  # an early version kept any

    def log_std_vector(self) -> Tensor:
        """The log standard deviations in use [A]."""
        return self.log_std

    @torch.no_grad()
    def confine(self) -> None:
        """Put the log standard deviations back to LOG_STD_BOUNDS, from where a gradient can lead them inwards.

        Clamping what is used of them instead would have no gradient beyond the bounds, and they would stay there.
        """
        lowest, highest = LOG_STD_BOUNDS
        if self.log_std.device.type == "cpu":  # a minibatch is short: spare it torch
            numbers = self.log_std.detach().numpy()
            if lowest <= numbers.min() and numbers.max() <= highest:
                return
            np.clip(numbers, lowest, highest, out=numbers, where=~np.isinf(numbers))  # divergence is not hidden
            return
        inside = self.log_std.clamp(lowest, highest)
        self.log_std.copy_(torch.where(self.log_std.isinf(), self.log_std, inside))

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

    def __init__(
        self, inputs: int, choices: Sequence[int], layers: int, layer_size: int, start: Sequence[float] = ()
    ) -> None:
        super().__init__()
        self.choices = tuple(int(c) for c in choices)
        self.network = Network(inputs, sum(self.choices), layers, layer_size, final_gain=0.01)
        if start:
            with torch.no_grad():
                self.network.linear[-1].bias.copy_(torch.tensor(start))  # type: ignore[operator, union-attr]

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


def make_policy(config: Config) -> Policy:
    """The policy that a config asks for, with an output for each action axis of its market, or for each choice."""
    p, spec = config.policy, spec_of(config)
    inputs = len(spec.columns)
    if p.kind == "gaussian":
        return GaussianPolicy(inputs, len(spec.axes), p.layers, p.layer_size, p.log_std)
    start = [logit for axis in spec.axes for logit in axis.start or (0.0,) * len(axis.grid)]
    return CategoricalPolicy(inputs, [len(axis.grid) for axis in spec.axes], p.layers, p.layer_size, start)
