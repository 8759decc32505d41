"""A policy of stable-baselines3, trained in an environment of `mmrl.gym`, as an agent: `sb3:FILE.zip`.

The file holds pickled Python objects: loading it runs code, so load only what you trust. Statistics of VecNormalize
stand in a file of their own: `sb3:FILE.zip,STATISTICS.pkl`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.agents.inputs import MAX_INVENTORY
from mmrl.agents.learned import in_market_units
from mmrl.markets.contract import spec_of
from mmrl.rollout.quoters import Quoter, learned, table
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config

TRIED = 50
"""Trajectories on which it is looked whether actions leave their space."""
MOST_BEYOND = 0.001
"""Share of actions that may leave their space, where the engine cannot clip them."""


@dataclass(frozen=True)
class Loaded:
    """A policy, what normalises its observations (None: nothing), and what its actions mean."""

    name: str
    policy: Any
    statistics: Any
    meaning: dict[str, Any]
    """What the action space of `mmrl.gym` carries: market, units, reach, and the settings of view and action."""

    @property
    def reach(self) -> float:
        """Units of a policy that an action of 1 is; 0: actions are choices."""
        return 0.0 if self.meaning["units"] == "choices" else float(self.meaning["reach"])

    def actions(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Deterministic actions [rows, A] in units of a policy, or choices, of raw observations [rows, obs]."""
        seen = raw.astype(np.float32)
        seen = self.statistics.normalize_obs(seen) if self.statistics else seen
        action, _ = self.policy.predict(seen, deterministic=True)
        return np.asarray(action, np.float64) * (self.reach or 1.0)


def make(config: Config, argument: str) -> Quoter:
    """The agent in the market of `config`, for which it is `playing`."""
    found, spec = load(argument), spec_of(config)
    if {column.role for column in spec.columns} <= {"inventory", "time left"}:
        return _table(found, config)
    return _network(found, config)


def playing(config: Config, argument: str) -> Config:
    """The config with what the agent sees and how it acts; ConfigError in another market than it was trained in."""
    found = load(argument)
    if found.meaning["market"] != config.market.name:
        raise ConfigError(
            f"{found.name} was trained on '{found.meaning['market']}' and cannot quote on '{config.market.name}'"
        )
    kind = "gaussian" if found.reach else "categorical"
    policy = config.policy.model_copy(update={"kind": kind})
    market = config.market.model_copy(update=found.meaning["settings"])
    return config.model_copy(update={"policy": policy, "market": market})


def load(argument: str) -> Loaded:
    """The policy in a file; ConfigError where there is none, or no stable-baselines3."""
    files = argument.split(",")
    if not argument or len(files) > 2:
        raise ConfigError(f"agent 'sb3:{argument}': write sb3:FILE.zip, or sb3:FILE.zip,STATISTICS.pkl")
    try:
        stamps = tuple(os.stat(file).st_mtime_ns for file in files)
    except OSError as error:
        raise ConfigError(f"agent 'sb3:{argument}': {error.filename} cannot be read: {error.strerror}") from None
    return _load(tuple(files), stamps)


@lru_cache(maxsize=4)
def _load(files: tuple[str, ...], _: tuple[int, ...]) -> Loaded:
    name = f"agent 'sb3:{','.join(files)}'"
    try:
        from stable_baselines3.common.save_util import load_from_zip_file
        from stable_baselines3.common.vec_env import VecNormalize
    except ImportError:
        raise ConfigError(f"{name} needs stable-baselines3: pip install stable-baselines3") from None
    try:
        data, parameters, _ = load_from_zip_file(files[0], device="cpu")
        assert data is not None
        given = dict(data["policy_kwargs"], **({"use_sde": True} if data.get("use_sde") else {}))
        policy = data["policy_class"](data["observation_space"], data["action_space"], lambda _: 0.0, **given)
        policy.load_state_dict(parameters["policy"])
        policy.set_training_mode(False)
        statistics = None
        if len(files) == 2:
            from stable_baselines3.common.save_util import load_from_pkl

            with open(files[1], "rb") as file:  # which stays open where it cannot be read, if given by name
                statistics = load_from_pkl(file)
            assert isinstance(statistics, VecNormalize)
            statistics.training = False
    except Exception as error:  # whatever a file of others may hold
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{name} is not a model that stable-baselines3 saved: {reason}") from None
    meaning = getattr(policy.action_space, "mmrl", None)
    if meaning is None or meaning["units"] == "market":
        raise ConfigError(
            f"{name} was not trained in an environment of mmrl, with action_units scaled, policy or choices"
        )
    return Loaded(name, policy, statistics, meaning)


def _table(found: Loaded, config: Config) -> Quoter:
    """Its quotes by time and inventory, which are all that it sees."""
    spec = spec_of(config)
    held, left = np.arange(-MAX_INVENTORY, MAX_INVENTORY + 1.0), 1.0 - np.arange(spec.steps) / spec.steps
    raw = np.zeros((spec.steps, held.size, len(spec.columns)))
    for k, column in enumerate(spec.columns):
        raw[..., k] = held[None, :] if column.role == "inventory" else left[:, None]
    action = found.actions(raw.reshape(-1, len(spec.columns))).reshape(spec.steps, held.size, -1)
    return table(in_market_units(config, action, held * spec.fade(left)[:, None]))


def _network(found: Loaded, config: Config) -> Quoter:
    """Its network for the compiled engine, which has tanh layers and does not clip."""
    from torch import nn

    try:
        policy, mean, std = found.policy, np.zeros(len(spec_of(config).columns)), 1.0
        hidden = list(policy.mlp_extractor.policy_net)
        if any(not isinstance(layer, nn.Linear | nn.Tanh) for layer in hidden):
            raise AttributeError
        linear = [*(layer for layer in hidden if isinstance(layer, nn.Linear)), policy.action_net]
    except AttributeError:
        raise ConfigError(f"{found.name}: only an MlpPolicy of PPO or A2C with tanh layers can play here") from None
    if found.statistics:
        mean, std = found.statistics.obs_rms.mean, np.sqrt(found.statistics.obs_rms.var + found.statistics.epsilon)
    layers = [
        (layer.weight.detach().numpy().T.astype(np.float32), layer.bias.detach().numpy().astype(np.float32))
        for layer in linear
    ]
    if found.reach:
        layers[-1] = (layers[-1][0] * np.float32(found.reach), layers[-1][1] * np.float32(found.reach))
    log_std = np.zeros(len(spec_of(config).axes) if found.reach else 0, np.float32)
    scale = np.broadcast_to(std, mean.shape).astype(np.float32)
    quoter = learned(PolicyWeights(layers, log_std, mean.astype(np.float32), scale), deterministic=True)
    if found.reach:
        _refuse_clipped(found, config, quoter)
    return quoter


def _refuse_clipped(found: Loaded, config: Config, quoter: Quoter) -> None:
    """Raise ConfigError where its actions leave their space, into which stable-baselines3 clips them."""
    from mmrl.rollout.compiled import rollout
    from mmrl.rollout.streams import stream_seed

    batch = rollout(config, quoter, stream_seed(0, "grade"), 0, count=TRIED)
    bound = float(found.policy.action_space.high.max()) * found.reach
    beyond = float((np.abs(batch.action) > bound).mean())
    if beyond > MOST_BEYOND:
        raise ConfigError(
            f"{found.name}: {100 * beyond:.1f} % of its actions leave {found.policy.action_space}, where "
            "stable-baselines3 clips them and this engine does not: train longer, or with action_units='policy'"
        )
