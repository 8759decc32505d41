"""PPO as single-file implementations write it: an environment in numpy, rollouts and gradients in torch, one loop.

After CleanRL's ppo_continuous_action.py (https://github.com/vwxyzjn/cleanrl, MIT): the same steps, written for the game
of Avellaneda & Stoikov without skew and for its mean-variance reward. Shapes: N trajectories, T steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from mmrl.markets.avellaneda_stoikov.settings import Settings
from mmrl.markets.contract import spec_of
from mmrl.settings.model import Config

HIDDEN, LOG_STD = 32, -0.8
RATE, CLIP, PASSES, BATCH = 3e-3, 0.2, 5, 1_000
LAMBDA, VALUE_WEIGHT, MAX_NORM = 0.9, 0.5, 0.5


class Game:
    """The market of many trajectories side by side: a fill earns its distance from the mid."""

    def __init__(self, config: Config, count: int) -> None:
        assert isinstance(config.market, Settings)
        self.market, self.count, self.rng = config.market, count, np.random.default_rng(config.run.seed)
        self.centre = np.array([axis.centre for axis in spec_of(config).axes])
        self.scale = np.array([axis.scale for axis in spec_of(config).axes])

    def reset(self) -> np.ndarray:
        """The first observation [N, 2]: inventory and the share of the time that is left."""
        most = self.market.start_inventory
        self.inventory = self.rng.integers(-most, most + 1, self.count) * (self.rng.random(self.count) < 0.5)
        self.clock = 0
        return self._seen()

    def _seen(self) -> np.ndarray:
        left = np.full(self.count, 1.0 - self.clock / self.market.nt)
        return np.stack([self.inventory, left], axis=1).astype(np.float32)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
        """Observation [N, 2], reward [N], and whether the trajectories are over, after actions [N, 2]."""
        m = self.market
        distance = self.centre + self.scale * action
        chance = -np.expm1(-m.arrival * m.dt * np.exp(np.minimum(-m.k * distance, 50.0)))
        filled = self.rng.random((self.count, 2)) < chance
        self.inventory = self.inventory + filled[:, 0] - filled[:, 1]
        move = np.where(self.rng.random(self.count) < 0.5, 1.0, -1.0) * m.sigma * math.sqrt(m.dt)
        risk = 0.5 * m.gamma * m.sigma**2 * m.dt * self.inventory**2
        self.clock += 1
        return self._seen(), (distance * filled).sum(1) + self.inventory * move - risk, self.clock == m.nt


def layers(outputs: int, last: float) -> nn.Sequential:
    """A network of two hidden layers, orthogonal at the start."""
    parts: list[nn.Module] = []
    for inputs, units, gain in ((2, HIDDEN, 2**0.5), (HIDDEN, HIDDEN, 2**0.5), (HIDDEN, outputs, last)):
        linear = nn.Linear(inputs, units)
        nn.init.orthogonal_(linear.weight, gain)
        nn.init.zeros_(linear.bias)
        parts += [linear, nn.Tanh()]
    return nn.Sequential(*parts[:-1])


class PlainPPO:
    """The agent and its loop: N trajectories an update."""

    def __init__(self, config: Config, count: int) -> None:
        torch.manual_seed(config.run.seed)
        self.game, self.steps, self.count = Game(config, count), config.market.nt, count
        self.actor, self.critic = layers(2, 0.01), layers(1, 1.0)
        self.log_std = nn.Parameter(torch.full((2,), LOG_STD))
        self.parameters = [*self.actor.parameters(), *self.critic.parameters(), self.log_std]
        self.adam = torch.optim.Adam(self.parameters, lr=RATE, eps=1e-5)
        self.scale = torch.tensor([self.game.market.start_inventory, 1.0])

    def policy(self, seen: Tensor) -> torch.distributions.Normal:
        """The distribution of the actions [rows, 2]."""
        return torch.distributions.Normal(self.actor(seen / self.scale), self.log_std.exp())

    def value(self, seen: Tensor) -> Tensor:
        """Of observations, [rows]."""
        found: Tensor = self.critic(seen / self.scale)[..., 0]
        return found

    def train(self, updates: int, after: Callable[[int], bool]) -> None:
        """So many updates; `after` gets the steps so far and says whether to stop."""
        for number in range(1, updates + 1):
            for group in self.adam.param_groups:
                group["lr"] = RATE * (1 - (number - 1) / updates)
            self._learn(*self._rollout())
            if after(number * self.steps * self.count):
                return

    @torch.no_grad()
    def _rollout(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        shape = (self.steps, self.count)
        seen, actions = torch.zeros(*shape, 2), torch.zeros(*shape, 2)
        logs, rewards, values = torch.zeros(shape), torch.zeros(shape), torch.zeros(shape)
        now = torch.from_numpy(self.game.reset())
        for t in range(self.steps):
            law = self.policy(now)
            seen[t], actions[t] = now, law.sample()
            logs[t], values[t] = law.log_prob(actions[t]).sum(-1), self.value(now)
            following, reward, _ = self.game.step(actions[t].numpy().astype(np.float64))
            now, rewards[t] = torch.from_numpy(following), torch.from_numpy(reward)
        advantages, last = torch.zeros(shape), torch.zeros(self.count)
        for t in reversed(range(self.steps)):
            beyond = values[t + 1] if t + 1 < self.steps else torch.zeros(self.count)
            last = advantages[t] = rewards[t] + beyond - values[t] + LAMBDA * last
        return seen, actions, logs, advantages, advantages + values

    def _learn(self, *batch: Tensor) -> None:
        seen, actions, logs, advantages, returns = (part.flatten(0, 1) for part in batch)
        for _ in range(PASSES):
            for rows in torch.randperm(len(logs)).split(BATCH):
                law = self.policy(seen[rows])
                ratio = (law.log_prob(actions[rows]).sum(-1) - logs[rows]).exp()
                gain = advantages[rows]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                surrogate = -torch.minimum(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
                misfit = 0.5 * (self.value(seen[rows]) - returns[rows]).square().mean()
                self.adam.zero_grad()
                (surrogate + VALUE_WEIGHT * misfit).backward()
                nn.utils.clip_grad_norm_(self.parameters, MAX_NORM)
                self.adam.step()

    @torch.no_grad()
    def distances(self, most: int) -> np.ndarray:
        """Deterministic quotes [T, 2 Q + 1, 2] of inventories from -Q to Q."""
        left = 1.0 - np.arange(self.steps) / self.steps
        grid = np.stack(np.meshgrid(np.arange(-most, most + 1.0), left), axis=-1).astype(np.float32)
        action = self.actor(torch.from_numpy(grid) / self.scale).numpy().astype(np.float64)
        return np.asarray(self.game.centre + self.game.scale * action)
