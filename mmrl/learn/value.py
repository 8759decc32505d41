"""The value function: linear in random features of the observation, fitted by least squares every epoch.

V(s) = w . phi(s) with phi(s) = (tanh(D s + o), s, s^2, 1) for fixed random D and o (random features: Rahimi & Recht,
NeurIPS 2007; least-squares value functions: Boyan, Machine Learning 49, 2002). There is no learning rate, and no epoch
waits for gradient descent to find the level of the returns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import kernel
from mmrl.learn.features import Features, count_of
from mmrl.rollout.arrays import Column, copied, variance

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

Float64 = npt.NDArray[np.float64]


class ValueFunction:
    """V of normalised observations [rows, inputs], in units of the return."""

    def __init__(self, inputs: int, rng: np.random.Generator, device: str = "cpu") -> None:
        self.device = device
        self.direction = rng.normal(0.0, SPREAD / np.sqrt(inputs), (inputs, FEATURES)).astype(np.float32)
        self.offset = rng.uniform(-OFFSET, OFFSET, FEATURES).astype(np.float32)
        self.weight = np.zeros(count_of(inputs, FEATURES))
        self.fits = 0
        """Batches it was fitted to."""

    def features(self, threads: int = 1) -> Any:
        """phi on the device: its products with targets, and its weighted sums."""
        if self.device == "cpu":
            return Features(self.direction, self.offset, threads)
        from mmrl.learn.tensor_features import TensorFeatures

        return TensorFeatures(self.direction, self.offset, self.device)

    def learn(self, weight: Float64) -> None:
        """Take a new fit in."""
        self.weight = weight if self.fits == 0 else (1 - NEWEST) * self.weight + NEWEST * weight
        self.fits += 1

    def state_dict(self) -> dict[str, Any]:
        """Features, weights and the number of fits."""
        return {"direction": self.direction, "offset": self.offset, "weight": self.weight, "fits": self.fits}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() gave."""
        for name in ("direction", "offset", "weight"):
            if tuple(state[name].shape) != getattr(self, name).shape:
                raise ValueError("the value function's state is that of other observations")
        self.direction, self.offset, self.weight = (np.array(state[n]) for n in ("direction", "offset", "weight"))
        self.fits = int(state["fits"])


@kernel
def solved(factor: Any, right: Any) -> Any:
    """x [n] with L L^T x = right, for a lower triangular L [n, n]."""
    x = right.copy()
    for i in range(x.size):
        row, total = factor[i], x[i]
        for j in range(i):
            total -= row[j] * x[j]
        x[i] = total / row[i]
    for i in range(x.size - 1, -1, -1):
        row = factor[i]
        x[i] /= row[i]
        for j in range(i):
            x[j] -= row[j] * x[i]
    return x


class Regression:
    """Least squares on one batch of observations [rows, inputs], for any number of targets."""

    def __init__(self, function: ValueFunction, observation: Column, threads: int = 1) -> None:
        self.features, self.observation = function.features(threads), observation
        self.step = max(1, -(-len(observation) // LARGEST_FIT))
        fitted = observation[:: self.step]
        self.fitted = np.ascontiguousarray(fitted) if isinstance(fitted, np.ndarray) else fitted  # is read three times
        size = len(function.weight)
        self.rows = len(self.fitted)
        gram = self.features.gram(self.fitted)
        gram /= self.rows  # in place: it is large where much is observed
        gram[np.diag_indices(size - 1)] += RIDGE + SCARCE * size / self.rows
        gram[-1, -1] += 1e-12
        self.factor = np.linalg.cholesky(gram)

    def fit(self, target: Column) -> Float64:
        """The weights that fit a target [rows] best."""
        wanted = target[:: self.step]
        mean = float(wanted.mean())  # the constant takes it, whatever its size
        right = self.features.moments(self.fitted, wanted - mean) / self.rows
        weight: Float64 = solved(self.factor, right)
        weight[-1] += mean
        return weight

    def predict(self, weight: Float64, observation: Column | None = None) -> Column:
        """What weights give on all rows, or on other observations [rows]."""
        return self.features.sums(self.observation if observation is None else observation, weight)

    def varying(self, weight: Float64) -> Column:
        """What weights give on all rows but for the constant, which may be large and changes no variance."""
        return self.features.sums(self.observation, _without_constant(weight))

    def fitted_of(self, column: Column) -> Column:
        """Of a column [rows] the rows that are fitted."""
        return column if self.step == 1 else copied(column[:: self.step])

    def expectation(self, target: Column) -> Column:
        """The expectation of a target [rows] given the observation: its fit on all rows."""
        return self.predict(self.fit(target))

    def unexplained(self, target: Column, weight: Float64, varying: Column | None = None) -> float:
        """The variance of a target [rows] less what weights give, as a share of its own, over the rows that are fitted;
        NaN where it does not vary. `varying` is what varying(weight) gives on those rows, where it is known."""
        wanted = target[:: self.step]
        spread = variance(wanted)
        if varying is None:
            given = self.features.sums(self.fitted, _without_constant(weight))
        else:
            given = varying
        return variance(wanted - given) / spread if spread > 0 else math.nan


def _without_constant(weight: Float64) -> Float64:
    return np.append(weight[:-1], 0.0)
