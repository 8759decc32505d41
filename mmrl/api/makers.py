"""Whoever trades, as the functions of the library take it: the name of an agent or a run, a policy, or nobody."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.agents import AGENTS, is_file
from mmrl.commands.evaluate import playing_field
from mmrl.evaluate.compare import Entrant, named_agent, refuse_other_market, run_agent
from mmrl.markets.contract import spec_of
from mmrl.policy.policy import Policy
from mmrl.policy.reading import is_exported, load
from mmrl.rollout.quoters import learned
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.config_file import read_config
from mmrl.runs.find import anywhere
from mmrl.runs.listing import RunInfo, RunNotFound
from mmrl.settings.errors import ConfigError, brief, suggestion
from mmrl.settings.fields import fields, value_of
from mmrl.settings.files import path_of
from mmrl.settings.keywords import with_keywords
from mmrl.settings.model import Config

Named = str | Policy
Maker = Named | os.PathLike[str] | RunInfo
"""The name of an agent (`mmrl agents`) or of a run, the path of a run's folder, a run of `mmrl.runs()`, or a policy."""


def named(maker: Maker) -> Named:
    """A maker by its name or folder, or a policy as it is. Raises ConfigError for what is no maker."""
    given: Any = maker
    if isinstance(given, Policy):
        return given
    if isinstance(given, RunInfo):
        return given.folder
    if isinstance(given, str | os.PathLike) and isinstance(os.fspath(given), str):
        path = str(os.fspath(given))
        return load(path) if is_exported(path) else path
    raise ConfigError(f"{brief(given)} is no maker: name an agent or a run, or pass a policy or a run of mmrl.runs()")


def folder_of(results: Any) -> str:
    """The path of a folder of runs, which need not be there; ConfigError for what is none."""
    path = path_of(results, "results")
    if os.path.exists(path) and not os.path.isdir(path):
        raise ConfigError(f"results = {brief(path)} is no folder: name the one that contains the run folders")
    return path


def field_of(own: Sequence[Config], names: Sequence[str]) -> Config:
    """The market and objective in which makers with these settings play, which must be alike."""
    remedies = ("pass config=, the market for all", "here config= says the market")
    return playing_field(own, names, None, [], remedies)


def no_market(who: object) -> ConfigError:
    """The error where neither a run nor a config says the market."""
    return ConfigError(f"in which market shall {who} trade? pass config=mmrl.Config.of(...)")


def counted(trajectories: int, seed: int, most: int | None = None) -> None:
    """Raise ConfigError unless these are numbers of trajectories, of `most` at most, and of a seed."""
    given: tuple[tuple[str, Any, int], ...] = (("trajectories", trajectories, 1), ("seed", seed, 0))
    for name, number, least in given:
        if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < least:
            raise ConfigError(f"{name} = {brief(number)} is not allowed: it must be a whole number >= {least}")
    if most is not None and trajectories > most:
        raise ConfigError(f"trajectories = {brief(trajectories)} is not allowed: the most are {most}")


def sampled(stochastic: Any) -> None:
    """Raise ConfigError unless it says whether actions are sampled."""
    if stochastic is not None and not isinstance(stochastic, bool | np.bool_):
        raise ConfigError(f"stochastic = {brief(stochastic)} is not allowed: it must be True, False or None")


def is_agent(maker: Named) -> bool:
    """Whether it is the name of an agent, not of a run."""
    return isinstance(maker, str) and (maker.partition(":")[0] in AGENTS or is_file(maker))


def has_network(maker: Named) -> bool:
    """Whether a network plays: a run's, a policy's, or one that is read from a file."""
    return not is_agent(maker) or (isinstance(maker, str) and is_file(maker))


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
    refuse_other_market(folder, own, config, "leave config out")
    return run_agent(folder, own, config, stochastic)


def _folder(run: str, results: str) -> Path:
    try:
        return Path(anywhere(run, results).folder)
    except RunNotFound as error:
        close = "" if os.sep in run else suggestion(run, AGENTS)
        raise RunNotFound(with_keywords(str(error)) + (f"; nor is it an agent{close}" if close else "")) from None


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
