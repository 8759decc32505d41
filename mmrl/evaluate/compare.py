"""Agents and runs side by side on the same random numbers, with exact values where the market can be solved.

The trajectories are drawn from the `evaluation` stream of the seed, which no training draws from. Market numbers do not
depend on the quotes, so that every deterministic agent meets the same mid prices and the same luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.evaluate.metrics import Summary, figures, joined, mean_interval, summarise
from mmrl.evaluate.objective import objective_of
from mmrl.markets.avellaneda_stoikov.optimum import REACH, TooNarrow, optimum, value_of_quotes
from mmrl.rollout.quoters import Quoter
from mmrl.settings.model import Config, ConfigError

CHUNK_ROWS = 400_000
"""Steps simulated before they are reduced: some 50 MB."""
PARAMETERS = {
    "avellaneda-stoikov": ("nt", "as_midprice", "sigma", "k", "arrival", "gamma", "fill", "horizon"),
    "book": ("nt", "dt", "midprice", "book_size", "volatility", "intensity", "gamma"),
}


@dataclass(frozen=True)
class Entrant:
    """One row: an agent or a run; `quotes` is its deterministic table of distances where it has one."""

    name: str
    config: Config
    quoter: Quoter
    quotes: np.ndarray | None = None


def named_agent(name: str, config: Config) -> Entrant:
    """An agent in the market of `config`."""
    from mmrl.agents import agent, distances

    quoter = agent(name, config)
    return Entrant(name, config, quoter, distances(quoter, config))


def run_agent(folder: Path, own: Config, config: Config, stochastic: bool) -> Entrant:
    """A run's policy in the market of `config`; ConfigError when it cannot play there."""
    from mmrl.agents import learned

    if own.market.name != config.market.name:
        raise ConfigError(
            f"run {folder.name} was trained on '{own.market.name}' and cannot quote on '{config.market.name}': "
            "their observations differ; leave --market out"
        )
    seen = {"n_obs": own.market.n_obs, "observation": own.market.observation}
    market = config.market.model_copy(update=seen)
    own = own.model_copy(update={"market": market, "reward": config.reward})
    quoter = learned.make(folder, own, stochastic)
    quotes = None
    if not stochastic and market.name == "avellaneda-stoikov" and quoter.weights is not None:
        quotes = learned.quote_table(own, quoter.weights)
    return Entrant(folder.name, own, quoter, quotes)


def simulate(entrant: Entrant, trajectories: int, seed: int, threads: int | None = None) -> Summary:
    """Summaries of `trajectories` trajectories, in chunks of bounded memory."""
    from mmrl.rollout.compiled import Buffers, rollout
    from mmrl.rollout.streams import stream_seed

    market, stream = entrant.config.market, stream_seed(seed, "evaluation")
    size, buffers, parts = max(1, CHUNK_ROWS // market.nt), Buffers(), []
    for first in range(0, trajectories, size):
        count = min(size, trajectories - first)
        batch = rollout(
            entrant.config, entrant.quoter, stream, 0, first=first, count=count, threads=threads, buffers=buffers
        )
        parts.append(summarise(batch, exposed_after=market.name != "book"))
    return joined(parts)


def compare(
    entrants: Sequence[Entrant], config: Config, trajectories: int, seed: int, reach: int | None = None
) -> dict[str, Any]:
    """The whole comparison as plain values, ready for JSON; differences are against the first row."""
    market, objective = config.market, objective_of(config)
    best = None
    if market.name == "avellaneda-stoikov":
        try:
            solution = optimum(market, objective, reach)
        except TooNarrow as error:
            raise ConfigError(str(error)) from None
        best, reach = solution.value, reach or max(REACH, solution.reach)
    rows: list[dict[str, Any]] = []
    first: Summary | None = None
    for entrant in entrants:
        summary = simulate(entrant, trajectories, seed)
        row = {"agent": entrant.name, **figures(summary, objective, market.step_length)}
        row["exact_ce"] = row["optimality"] = None
        if best is not None and entrant.quotes is not None and reach is not None:
            row["exact_ce"] = value_of_quotes(market, objective, entrant.quotes, reach)
            row["optimality"] = row["exact_ce"] / best if best > 0 else None
        first = summary if first is None else first
        row["difference"], row["difference_ci"] = mean_interval(summary.value - first.value)
        rows.append(row)
    parameters: dict[str, Any] = {name: getattr(market, name) for name in PARAMETERS[market.name]}
    parameters["utility"] = "inventory-penalty" if objective.gamma == 0 else "cara"
    if objective.gamma == 0:
        parameters |= {"inventory_penalty": objective.phi, "final_penalty": objective.alpha}
    if best is not None:
        parameters["max_inventory"] = reach
    return {
        "market": market.name,
        "parameters": parameters,
        "trajectories": trajectories,
        "seed": seed,
        "optimum_ce": best,
        "rows": rows,
    }
