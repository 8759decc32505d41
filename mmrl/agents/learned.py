"""A run's policy as an agent, of its best epoch or another: deterministic (means, likeliest choices) or stochastic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.agents.inputs import MAX_INVENTORY
from mmrl.markets.contract import spec_of
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.read_checkpoint import BEST, of_epoch
from mmrl.settings.model import Config


def checkpoint_of(folder: Path, which: str = BEST) -> tuple[int, dict[str, Any]]:
    """Epoch and state of a run's best policy by its grade (the last one where none was graded), its last, or epoch N.

    ConfigError when it has no checkpoint yet, or none of that epoch.
    """
    return of_epoch(folder, which)


def weights_in(state: dict[str, Any], config: Config) -> PolicyWeights:
    """The policy of a checkpoint's state as plain arrays."""
    from mmrl.learn.normaliser import RunningNormaliser
    from mmrl.learn.policy import make_policy

    trainer: dict[str, Any] = state["trainer"]
    policy = make_policy(config)
    policy.restore(trainer["policy"])
    normaliser = RunningNormaliser(len(spec_of(config).columns))
    normaliser.load_state_dict(trainer["normaliser"])
    return policy.weights(normaliser)


def actions(
    config: Config, weights: PolicyWeights, inventory: np.ndarray, time_left: np.ndarray
) -> npt.NDArray[np.float64]:
    """Deterministic actions [K, Q, A] in market units at times [K] (shares of T left) and inventories [Q].

    What else the policy observes is at its mean over the steps that the observations were normalised by.
    """
    spec = spec_of(config)
    raw = np.broadcast_to(weights.obs_mean, (len(time_left), len(inventory), weights.obs_mean.size)).copy()
    for role, values in (("inventory", inventory[None, :]), ("time left", time_left[:, None])):
        column = spec.column_of(role)
        if column is not None:
            raw[..., column] = values
    outputs = weights.forward(weights.normalise(raw)).astype(np.float64)
    if config.policy.kind == "categorical":
        ends = np.cumsum([len(axis.grid) for axis in spec.axes])[:-1]
        outputs = np.stack([part.argmax(-1) for part in np.split(outputs, ends, axis=-1)], axis=-1)
    return in_market_units(config, outputs, inventory * spec.fade(time_left)[:, None])


def in_market_units(config: Config, action: np.ndarray, held: np.ndarray) -> npt.NDArray[np.float64]:
    """Actions [..., A] of a policy as its market takes them; a categorical policy's are places in the grids.

    `held` [...] are the shares held, which the skew counts.
    """
    parts = []
    for k, axis in enumerate(spec_of(config).axes):
        if config.policy.kind == "gaussian":
            part, skew = axis.centre + axis.scale * action[..., k], axis.skew
        else:
            part, skew = np.array(axis.grid)[action[..., k].astype(np.int64)], axis.grid_skew
        parts.append(axis.as_taken(part + skew * held if skew else part))
    return np.stack(parts, axis=-1)


def quote_table(config: Config, weights: PolicyWeights, most: int = MAX_INVENTORY) -> npt.NDArray[np.float64]:
    """Deterministic distances (bid, ask) of a policy by step and inventory [steps, 2 Q + 1, 2]."""
    spec = spec_of(config)
    left = 1.0 - np.arange(spec.steps) / spec.steps
    return actions(config, weights, np.arange(-most, most + 1), left)[..., spec.distances]
