"""Whoever trades, as the functions of the library take it: the name of an agent or a run, a policy, or nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.agents import AGENTS, is_file
from mmrl.evaluate.compare import Entrant, named_agent, refuse_other_market, run_agent
from mmrl.markets.contract import spec_of
from mmrl.policy.policy import Policy
from mmrl.rollout.quoters import learned
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.config_file import read_config
from mmrl.runs.find import anywhere
from mmrl.runs.listing import RunInfo
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import fields, value_of
from mmrl.settings.model import Config

Named = str | Policy
Maker = Named | os.PathLike[str] | RunInfo
"""The name of an agent (`mmrl agents`) or of a run, the path of a run's folder, a run of `mmrl.runs()`, or a policy."""


def named(maker: Maker) -> Named:
    """A maker by its name or folder, or a policy as it is. Raises ConfigError for what is no maker."""
    given: Any = maker
    if isinstance(given, str | Policy):
        return given
    if isinstance(given, RunInfo):
        return given.folder
    if isinstance(given, os.PathLike):
        return str(os.fspath(given))
    raise ConfigError(f"{given!r} is no maker: name an agent or a run, or pass a policy or a run of mmrl.runs()")


def counted(trajectories: int, seed: int) -> None:
    """Raise ConfigError unless these are numbers of trajectories and of a seed."""
    numbers: tuple[Any, Any] = (trajectories, seed)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in numbers)
    if not whole or trajectories < 1 or seed < 0:
        raise ConfigError(f"trajectories = {trajectories} and seed = {seed}: at least 1 trajectory, and a seed >= 0")


def is_agent(maker: Named) -> bool:
    """Whether it is the name of an agent, not of a run."""
    return isinstance(maker, str) and (maker.partition(":")[0] in AGENTS or is_file(maker))


def own_config(maker: Named, results: str) -> Config | None:
    """The settings that a maker was trained with; None for an agent, and for a policy that was read from a file."""
    if isinstance(maker, Policy):
        return maker.config
    return None if is_agent(maker) else read_config(_folder(maker, results)).config


def entrant(maker: Named, config: Config, results: str, stochastic: bool | None) -> Entrant:
    """A maker in the market of `config`. ConfigError where it cannot play there."""
    if isinstance(maker, Policy):
        return _policy(maker, config)
    if is_agent(maker):
        return named_agent(maker, config)
    folder = _folder(maker, results)
    own = read_config(folder).config
    refuse_other_market(folder, own, config)
    return run_agent(folder, own, config, stochastic)


def _folder(run: str, results: str) -> Path:
    return Path(anywhere(run, results).folder)


def _policy(policy: Policy, config: Config) -> Entrant:
    """A policy, which plays its means."""
    from mmrl.agents.learned import quote_table

    name = policy.run or "policy"
    if policy.market != config.market.name:
        raise ConfigError(f"{name} was trained on '{policy.market}' and cannot quote on '{config.market.name}'")
    own = config
    if policy.config is not None:
        parts = [spec for spec in fields(policy.market) if spec.part in ("view", "action")]
        market = config.market.model_copy(update={spec.name: value_of(policy.config, spec) for spec in parts})
        own = policy.config.model_copy(update={"market": market, "reward": config.reward})
    elif (spec_of(config).columns, spec_of(config).axes) != (policy.frozen.columns, policy.frozen.axes):
        raise ConfigError(f"{name} was trained with another view or other actions: pass config= as it was trained")
    f = policy.frozen
    spread = np.zeros(0 if f.kind == "categorical" else len(f.axes), np.float32)  # unused: the means are played
    weights = PolicyWeights(list(f.layers), spread, f.mean, f.std, f.skip)
    quotes = quote_table(own, weights) if spec_of(own).exact_optimum else None
    return Entrant(name, own, learned(weights, deterministic=True), quotes, policy.epoch, "mean")
