"""A run's policy as an agent: its newest sound checkpoint, deterministic (means, most likely choices) or stochastic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmrl.agents.inputs import REACH
from mmrl.markets.avellaneda_stoikov.dynamics import quote_scale
from mmrl.rollout.compiled import action_size, observation_size
from mmrl.rollout.quoters import Quoter, learned
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config, ConfigError


def weights_of(folder: Path, config: Config) -> PolicyWeights:
    """The policy of a run as plain arrays; ConfigError when it has no checkpoint yet."""
    from mmrl.learn.normaliser import RunningNormaliser
    from mmrl.learn.policy import make_policy, policy_weights
    from mmrl.runs import checkpoint

    _, state, _ = checkpoint.load(folder)
    if not state:
        raise ConfigError(f"run {folder.name} has no checkpoint yet: let it finish an epoch")
    trainer: dict[str, Any] = state["trainer"]
    policy = make_policy(config, observation_size(config), action_size(config))
    policy.load_state_dict(trainer["policy"])
    normaliser = RunningNormaliser(observation_size(config))
    normaliser.load_state_dict(trainer["normaliser"])
    return policy_weights(policy, normaliser)


def make(folder: Path, config: Config, stochastic: bool = False) -> Quoter:
    """The agent of a run whose settings are `config`."""
    return learned(weights_of(folder, config), deterministic=not stochastic)


def quote_table(config: Config, weights: PolicyWeights, reach: int = REACH) -> np.ndarray:
    """Deterministic distances (bid, ask) of a policy of the Avellaneda-Stoikov game, [nt, 2 Q + 1, 2]."""
    p, nt = config.policy, config.market.nt
    q, left = np.arange(-reach, reach + 1), 1.0 - np.arange(nt) / nt
    raw = np.stack(np.broadcast_arrays(q[None, :], left[:, None]), axis=-1).astype(np.float32)
    outputs = weights.forward(weights.normalise(raw)).astype(np.float64)
    if p.kind == "gaussian":
        centre, scale, lean = quote_scale(config.market, p)
        return np.asarray(centre + scale * outputs + lean * q[None, :, None] * np.array([1.0, -1.0]))
    grid = np.array(p.delta_grid)
    return np.stack([grid[part.argmax(axis=-1)] for part in np.split(outputs, 2, axis=-1)], axis=-1)
