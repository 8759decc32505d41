"""Policies: small tanh networks of normalised observations, all of whose numbers lie in one vector.

On a CPU the vector is an array of numpy, elsewhere a tensor of torch on the device; `tensor_policy` computes with
either by torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrl.learn import initial
from mmrl.learn.layout import Layout
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.markets.contract import spec_of
from mmrl.rollout.arrays import Column, beside, copied, host, library, placed
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.groups import LOG_STD_BOUNDS
from mmrl.settings.model import Config

if TYPE_CHECKING:
    import torch

LOG_STD, NETWORK = "log_std", "network."
SKIP = f"{NETWORK}skip.weight"
"""The linear map of the inputs among a policy's parameters."""
FINAL_GAIN = 0.01


class Policy:
    """A distribution over actions [rows, A] given normalised observations [rows, obs].

    The network is a tanh multilayer perceptron plus a linear map of the inputs, without which quotes would stop moving
    where the hidden units saturate. Its outputs are the means of independent normals with one learnable log standard
    deviation each, or, with `choices`, the logits of independent categoricals, one per action dimension; actions are
    then grid indices stored as floats.
    """

    def __init__(
        self, sizes: Sequence[int], log_std: Sequence[float] = (), choices: Sequence[int] = (), seed: int = 0
    ) -> None:
        """`sizes` are inputs, then outputs of each layer; `log_std` [A] is empty with `choices` [A]."""
        self.sizes, self.choices = tuple(sizes), tuple(int(c) for c in choices)
        self.free = len(log_std)
        """Log standard deviations, which are the first of the numbers."""
        drawn = initial.network(self.sizes, FINAL_GAIN, seed)
        named = {NETWORK + name: array for name, array in drawn.items()}
        if self.free:
            named = {LOG_STD: np.array(log_std, np.float32), **named}
        self.layout = Layout({name: array.shape for name, array in named.items()})
        self.numbers: Column = self.layout.vector(named)
        """All parameters, float32 [P], in the order of `layout`."""
        self.gradient: Column = None
        """Of the loss by each of the numbers [P]; None before it is known."""

    @property
    def parameters(self) -> dict[str, Column]:
        """The parameters by name, in the memory of `numbers`."""
        return self.layout.named(self.numbers)

    @property
    def log_std(self) -> Column:
        """The log standard deviations in use [A]; empty for a policy that has none."""
        return self.numbers[: self.free]

    @property
    def network(self) -> Column:
        """The network's numbers: of each layer weight [out, in] and bias, then the linear map [outputs, inputs]."""
        return self.numbers[self.free :]

    def to(self, device: str) -> Policy:
        """Move the numbers to a device; returns the policy itself."""
        self.numbers, self.gradient = placed(self.numbers, device), None
        return self

    def confine(self) -> None:
        """Put the log standard deviations back to LOG_STD_BOUNDS, from where a gradient can lead them inwards.

        Clamping what is used of them instead would have no gradient beyond the bounds, and they would stay there.
        """
        held = self.log_std
        if self.free:  # divergence is not hidden
            held[:] = library(held).where(abs(held) == float("inf"), held, library(held).clip(held, *LOG_STD_BOUNDS))

    def state_dict(self) -> dict[str, Column]:
        """The parameters by name, as they stay."""
        return self.layout.named(copied(self.numbers))

    def restore(self, state: Mapping[str, Column]) -> None:
        """Take the parameters of a checkpoint, which may be of an early version: without a linear map, or with log
        standard deviations beyond their bounds. ValueError where it is of other networks."""
        absent = {SKIP: np.zeros(self.layout.shapes[SKIP], np.float32)}
        self.numbers[:] = beside(self.layout.vector({**absent, **state}), self.numbers)
        self.confine()

    def sample(self, observation: torch.Tensor, generator: torch.Generator | None = None) -> tuple[Any, Any]:
        """Actions [rows, A] of observations [rows, obs] and their log-probabilities [rows], as tensors."""
        from mmrl.learn import tensor_policy

        return tensor_policy.sample(self, observation, generator)

    def weights(self, normaliser: RunningNormaliser) -> PolicyWeights:
        """Copies of the policy's numbers as numpy arrays, for the engines."""
        held = {name: np.array(host(array)) for name, array in self.parameters.items()}
        layers = range(len(self.sizes) - 1)
        return PolicyWeights(
            layers=[
                (np.ascontiguousarray(held[f"{NETWORK}linear.{k}.weight"].T), held[f"{NETWORK}linear.{k}.bias"])
                for k in layers
            ],
            log_std=held.get(LOG_STD, np.empty(0, np.float32)),
            obs_mean=normaliser.mean.astype(np.float32),
            obs_std=normaliser.std.astype(np.float32),
            skip=np.ascontiguousarray(held[SKIP].T),
        )


def make_policy(config: Config, seed: int = 0) -> Policy:
    """The policy that a config asks for, with an output for each action axis of its market, or for each choice."""
    p, spec = config.policy, spec_of(config)
    sizes = [len(spec.columns), *[p.layer_size] * p.layers]
    if p.kind == "gaussian":
        return Policy([*sizes, len(spec.axes)], log_std=[p.log_std] * len(spec.axes), seed=seed)
    choices = [len(axis.grid) for axis in spec.axes]
    policy = Policy([*sizes, sum(choices)], choices=choices, seed=seed)
    start = [logit for axis in spec.axes for logit in axis.start or (0.0,) * len(axis.grid)]
    policy.parameters[f"{NETWORK}linear.{p.layers}.bias"][:] = start
    return policy
