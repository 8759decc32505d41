"""Market makers that are not learned, and runs as agents: one file each, with its formula and source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmrl.rollout.quoters import Quoter
from mmrl.settings.model import Config, ConfigError


def _glft_asymptotic(config: Config, argument: str) -> Quoter:
    from mmrl.agents import glft

    return glft.make_asymptotic(config, argument)


def _maker(module: str) -> Callable[[Config, str], Quoter]:
    def make(config: Config, argument: str) -> Quoter:
        from importlib import import_module

        quoter: Quoter = import_module(f"mmrl.agents.{module}").make(config, argument)
        return quoter

    return make


AGENTS: dict[str, Callable[[Config, str], Quoter]] = {
    "naive": _maker("naive"),
    "symmetric": _maker("symmetric"),
    "avellaneda-stoikov": _maker("avellaneda_stoikov"),
    "glft": _maker("glft"),
    "glft-asymptotic": _glft_asymptotic,
    "cartea-jaimungal": _maker("cartea_jaimungal"),
    "fixed": _maker("fixed"),
    "optimum": _maker("optimum"),
}
"""By name; each makes a quoter for a market and a text after the name, as in fixed:0.7."""


def agent(name: str, config: Config) -> Quoter:
    """The agent `NAME` or `NAME:ARGUMENT`; ConfigError with one line when unknown or without inputs in this market."""
    from mmrl.settings.fields import suggestion

    kind, _, argument = name.partition(":")
    if kind not in AGENTS:
        guess = suggestion(kind, AGENTS)
        raise ConfigError(
            f"unknown agent '{kind}'" + (guess if "did you mean" in guess else ": there are " + ", ".join(AGENTS))
        )
    if argument and kind != "fixed":
        raise ConfigError(f"agent '{name}': {kind} takes nothing after a colon")
    return AGENTS[kind](config, argument)


def distances(quoter: Quoter, config: Any) -> Any:
    """The quotes of an agent that is a table, float64 [rows, 2 Q + 1, 2] as (bid, ask), or None."""
    import numpy as np

    if quoter.kind == "fixed":
        constant = np.array(quoter.constant)[[1, 3] if config.market.name == "book" else [0, 1]]
        return np.broadcast_to(constant, (config.market.nt if config.market.name != "book" else 1, 1, 2)).copy()
    if quoter.table is None:
        return None
    return quoter.table[..., 1::2] if quoter.table.shape[2] == 4 else quoter.table
