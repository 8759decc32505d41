"""The market of Avellaneda & Stoikov as numpy operations over many trajectories: what a foreign learner trains in.

Observation, units of the action, starting inventories, order within a step and reward are those of mmrl's own market;
`tests/benchmarks` holds one against the other. N trajectories go side by side, all at the same step.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mmrl.kernels.reward import entropic, mean_variance
from mmrl.markets.avellaneda_stoikov.settings import Settings
from mmrl.markets.contract import spec_of
from mmrl.settings.model import Config

Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
UTILITIES = ("entropic", "mean-variance")


class VectorMarket:
    """N trajectories of preset `avellaneda-stoikov` at a time, one batch after the other; rewards in currency."""

    def __init__(self, config: Config, count: int, seed: int) -> None:
        market = config.market
        if not isinstance(market, Settings) or config.reward.utility not in UTILITIES:
            raise ValueError(f"the market must be avellaneda-stoikov, reward.utility one of {', '.join(UTILITIES)}")
        self.market, self.utility, self.count = market, config.reward.utility, count
        axes = spec_of(config).axes
        self.centre = np.array([axis.centre for axis in axes])
        self.scale = np.array([axis.scale for axis in axes])
        self.skew, self.fade = np.array([axis.skew for axis in axes]), spec_of(config).fade
        self.jump = market.sigma * math.sqrt(market.dt)
        self.rng = np.random.default_rng(seed)
        self.number = 0
        """Trajectories begun so far."""
        self.inventory = np.zeros(count)
        self.clock = 0

    def reset(self) -> Float64:
        """Begin the next N trajectories; their first observation [N, 2]."""
        number = self.number + np.arange(self.count)
        most = self.market.start_inventory
        self.inventory = np.where(number % 2 == 0, 0, (number // 2) % (2 * most + 1) - most).astype(np.float64)
        self.number += self.count
        self.clock = 0
        return self.observation()

    def observation(self) -> Float64:
        """Inventory and the share of the time that is left [N, 2]."""
        left = 1.0 - self.clock / self.market.nt
        return np.stack([self.inventory, np.full(self.count, left)], axis=1)

    def distances(self, action: Float64, inventory: Float64) -> Float64:
        """Distances of bid and ask [N, 2] that actions [N, 2] mean at inventories [N]."""
        fade = self.fade(1.0 - self.clock / self.market.nt)
        return self.centre + self.scale * action + self.skew * fade * inventory[:, None]

    def fill_probability(self, distances: Float64) -> Float64:
        """Chance of a fill within a step, of the shape of `distances`."""
        rate = self.market.arrival * self.market.dt * np.exp(np.minimum(-self.market.k * distances, 50.0))
        return -np.expm1(-rate) if self.market.fill == "poisson" else np.minimum(1.0, rate)

    def step(self, action: Float64) -> tuple[Float64, Float64, bool]:
        """Play one step with actions [N, 2]: observation [N, 2], reward [N], whether the trajectories have ended."""
        distances = self.distances(action, self.inventory)
        filled = self.rng.random((self.count, 2)) < self.fill_probability(distances)
        reward = self.settle(distances, filled, self.rng.random(self.count) < 0.5)
        return self.observation(), reward, self.clock == self.market.nt

    def settle(self, distances: Float64, filled: Bools, up: Bools) -> Float64:
        """Carry out a step in which bids and asks [N, 2] were filled or not and the mid rose or fell; its reward [N].

        A fill earns its distance from the mid, so neither cash nor the level of the mid is needed.
        """
        market = self.market
        self.inventory = self.inventory + filled[:, 0] - filled[:, 1]
        revaluation = self.inventory * np.where(up, self.jump, -self.jump)
        profit = (distances * filled).sum(axis=1) + revaluation
        self.clock += 1
        variance = market.sigma**2
        if self.utility == "entropic":
            price = np.log(np.cosh(market.gamma * self.inventory * self.jump)) / market.gamma
            return entropic.py_func(profit, revaluation, price)
        return mean_variance.py_func(profit, self.inventory, market.gamma, variance, market.dt)
