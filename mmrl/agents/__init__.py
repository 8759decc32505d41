"""Market makers that are not learned, and runs as agents: one file each, with its formula and source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mmrl.markets.contract import CLOSED_FORM, spec_of
from mmrl.settings.errors import ConfigError, suggestion
from mmrl.settings.model import Config

if TYPE_CHECKING:  # a shell that completes names waits for what is imported here
    import numpy as np

    from mmrl.rollout.quoters import Quoter


def _maker(module: str, function: str = "make") -> Callable[[Config, str], Quoter]:
    def make(config: Config, argument: str) -> Quoter:
        from importlib import import_module

        quoter: Quoter = getattr(import_module(f"mmrl.agents.{module}"), function)(config, argument)
        return quoter

    return make


AGENTS: dict[str, Callable[[Config, str], Quoter]] = {
    "naive": _maker("naive"),
    "symmetric": _maker("symmetric"),
    "avellaneda-stoikov": _maker("avellaneda_stoikov"),
    "glft": _maker("glft"),
    "glft-asymptotic": _maker("glft", "make_asymptotic"),
    "cartea-jaimungal": _maker("cartea_jaimungal"),
    "fixed": _maker("fixed"),
    "best-fixed": _maker("best_simple", "make_fixed"),
    "best-linear": _maker("best_simple", "make_linear"),
    "optimum": _maker("optimum"),
}
"""By name; each makes a quoter for a market and a text after the name, as in fixed:0.7."""
FILES = {"sb3": _maker("sb3")}
"""The same for agents that are read from a file, as in sb3:FILE.zip; they can play in the market they come from."""


NEEDS = {
    "naive": "a market with a simple maker of its own",
    "optimum": "a market that can be solved",
}
"""What agents need of a market that not every market has."""


FROM_MID = ("symmetric", "avellaneda-stoikov", "glft", "glft-asymptotic", "cartea-jaimungal")
"""Closed forms with a fill curve A exp(-k delta), whose distances count from the mid."""


def playing(name: str, config: Config) -> Config:
    """The config with which an agent plays: closed forms quote from the mid, whatever the actions of `config` mean."""
    if is_file(name):
        from mmrl.agents import sb3

        return sb3.playing(config, name.partition(":")[2])
    from_mid = spec_of(config).from_mid if name.partition(":")[0] in FROM_MID else {}
    return config.model_copy(update={"market": config.market.model_copy(update=dict(from_mid))}) if from_mid else config


def is_file(name: str) -> bool:
    """Whether an agent is read from a file."""
    return name.partition(":")[0] in FILES


def agents_of(config: Config) -> list[str]:
    """Names of the agents that can play in the market of a config."""

    def plays(name: str) -> bool:
        allowed = spec_of(playing(name, config)).agents
        return name in allowed or (name not in NEEDS and CLOSED_FORM in allowed)

    return [name for name in AGENTS if plays(name)]


def check(name: str, config: Config) -> None:
    """Raise ConfigError with one line for an agent that is unknown or has no inputs in this market."""
    kind, _, argument = name.partition(":")
    if is_file(name):
        playing(name, config)
        return
    if kind not in AGENTS:
        guess = suggestion(kind, AGENTS)
        raise ConfigError(f"unknown agent '{kind}'" + (guess or ": there are " + ", ".join(AGENTS)))
    if argument and kind != "fixed":
        raise ConfigError(f"agent '{name}': {kind} takes nothing after a colon")
    able = agents_of(config)
    if kind not in able:
        need = NEEDS.get(kind, "a market with bid and ask distances and a fill intensity")
        others = f"use one of {', '.join(able)}" if able else "no agent can play there"
        why = spec_of(config).unsolved if kind == "optimum" else ""
        why = f" ({why})" if why else ""
        raise ConfigError(f"agent '{kind}' needs {need}, '{config.market.name}' is not one{why}: {others}")


def agent(name: str, config: Config) -> Quoter:
    """The agent `NAME` or `NAME:ARGUMENT`, for the config with which it is `playing`.

    ConfigError as `check`, and where its formulas give no numbers.
    """
    import numpy as np

    kind, _, argument = name.partition(":")
    try:
        check(name, config)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return {**AGENTS, **FILES}[kind](playing(name, config), argument)
    except ArithmeticError as error:
        raise ConfigError(
            f"agent '{name}' has no quotes for these settings ({error}): choose another agent, or less extreme settings"
        ) from None


def distances(quoter: Quoter, config: Config) -> np.ndarray | None:
    """The quotes of an agent that is a table, float64 [rows, 2 Q + 1, 2] as (bid, ask), or None."""
    import numpy as np

    from mmrl.agents.inputs import MAX_INVENTORY

    spec = spec_of(config)
    if quoter.kind == "linear":
        most = MAX_INVENTORY if any(per_share for _, per_share, _ in quoter.linear) else 0
        left = 1.0 - np.arange(spec.rows) / spec.rows
        return quoter.linear_actions(np.arange(-most, most + 1), left)[..., spec.distances]
    return None if quoter.table is None else quoter.table[..., spec.distances]
