"""The value function: linear in random features of the observation, fitted by least squares every epoch.

V(s) = w . phi(s) with phi(s) = (tanh(D s + o), s, s^2, 1) for fixed random D and o (random features: Rahimi & Recht,
NeurIPS 2007; least-squares value functions: Boyan, Machine Learning 49, 2002). There is no learning rate, and no epoch
waits for gradient descent to find the level of the returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.learn.blocks import share
from mmrl.learn.features import Features
from mmrl.rollout.arrays import Column

FEATURES = 64
SPREAD, OFFSET = 1.0, 2.0
"""Standard deviation of D s for normalised observations, and bound of the uniform offsets."""
RIDGE = 1e-4
SCARCE = 0.1
"""Ridge for each weight per row of the batch, so that few rows do not determine many weights."""
NEWEST = 0.15
"""Weight of the newest fit in V; the older ones, whose policies differed little, lower its noise."""
LARGEST_FIT = 131_072
"""Rows that are fitted at most, evenly spaced."""
BLOCK = 16_384
"""Rows whose products are summed in single precision."""


class ValueFunction:
    """V of normalised observations [rows, inputs], in units of the return."""

    def __init__(self, inputs: int, rng: np.random.Generator, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.direction = torch.from_numpy(rng.normal(0.0, SPREAD / np.sqrt(inputs), (inputs, FEATURES))).float()
        self.offset = torch.from_numpy(rng.uniform(-OFFSET, OFFSET, FEATURES)).float()
        self.weight = torch.zeros(FEATURES + 2 * inputs + 1, dtype=torch.float64)
        self.fits = 0
        """Batches it was fitted to."""

    def features(self, threads: int = 1) -> Features:
        """phi, as a function of observations."""
        return Features(self.direction, self.offset, self.device, threads)

    def learn(self, weight: Tensor) -> None:
        """Take a new fit in."""
        self.weight = weight if self.fits == 0 else (1 - NEWEST) * self.weight + NEWEST * weight
        self.fits += 1

    def state_dict(self) -> dict[str, Any]:
        """Features, weights and the number of fits."""
        return {"direction": self.direction, "offset": self.offset, "weight": self.weight, "fits": self.fits}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() gave."""
        for name in ("direction", "offset", "weight"):
            if tuple(state[name].shape) != tuple(getattr(self, name).shape):
                raise ValueError("the value function's state is that of other observations")
        self.direction, self.offset, self.weight = (state[n].clone() for n in ("direction", "offset", "weight"))
        self.fits = int(state["fits"])


class Regression:
    """Least squares on one batch of observations [rows, inputs], for any number of targets."""

    def __init__(self, function: ValueFunction, observation: Tensor, threads: int = 1) -> None:
        self.features, self.observation, self.threads = function.features(threads), observation, threads
        self.step = max(1, -(-len(observation) // LARGEST_FIT))
        self.blocks = self.features.of(observation[:: self.step]).split(BLOCK)
        size = len(function.weight)
        self.rows = sum(map(len, self.blocks))
        gram = self._sum(lambda k: self.blocks[k].T @ self.blocks[k]) / self.rows
        gram.diagonal()[:-1] += RIDGE + SCARCE * size / self.rows
        gram.diagonal()[-1] += 1e-12
        self.factor = torch.linalg.cholesky(gram)

    def fit(self, target: Column) -> Tensor:
        """The weights that fit a target [rows] best."""
        wanted = target[:: self.step]
        mean = float(wanted.mean())  # the constant takes it, whatever its size
        centred = torch.as_tensor(wanted - mean).float().to(self.blocks[0].device).split(BLOCK)
        right = self._sum(lambda k: self.blocks[k].T @ centred[k])
        weight = torch.cholesky_solve((right / self.rows)[:, None], self.factor)[:, 0]
        weight[-1] += mean
        return weight

    def predict(self, weight: Tensor, observation: Tensor | None = None) -> Column:
        """What weights give on all rows, or on other observations [rows]."""
        return self.features.sums(self.observation if observation is None else observation, weight)

    def expectation(self, target: Column) -> Column:
        """The expectation of a target [rows] given the observation: its fit on all rows."""
        return self.predict(self.fit(target))

    def unexplained(self, target: Column, weight: Tensor) -> float:
        """The variance of a target [rows] less what weights give, as a share of its own, over the rows that are fitted;
        NaN where it does not vary."""
        wanted = torch.as_tensor(target[:: self.step]).to(self.blocks[0].device)
        used = weight.float().to(wanted.device)
        used[-1] = 0.0  # a constant changes no variance, and may be large
        left = wanted - torch.cat([block @ used for block in self.blocks])
        spread = float(wanted.var(correction=0))
        return float(left.var(correction=0)) / spread if spread > 0 else math.nan

    def _sum(self, product: Callable[[int], Tensor]) -> Tensor:
        """The sum of what each block gives, float64 on the host, in their order."""
        found: list[Tensor] = [torch.empty(0)] * len(self.blocks)

        def work(first: int, step: int) -> None:
            for k in range(first, len(found), step):
                found[k] = product(k)

        share(work, len(found), self.threads if self.features.on_cpu else 1)
        total = torch.zeros(found[0].shape, dtype=torch.float64)
        for one in torch.stack(found).cpu():
            total += one.double()
        return total
