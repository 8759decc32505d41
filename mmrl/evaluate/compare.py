"""Agents and runs side by side on the same random numbers, with exact values where the market can be solved.

The trajectories are drawn from the `evaluation` stream of the seed, which no training draws from. Market numbers do not
depend on the quotes, so that every deterministic agent meets the same mid prices and the same luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.agents import exact
from mmrl.evaluate.grade import MEAN, SAMPLED, worth_more
from mmrl.evaluate.metrics import UNPRICED, Summary, figures, joined, mean_interval, moves_of, summarise
from mmrl.evaluate.reduction import Moves
from mmrl.markets.contract import Objective, RangeTooNarrow, market_of, spec_of
from mmrl.markets.objective import objective_of
from mmrl.rollout.quoters import Quoter
from mmrl.rollout.quoters import learned as policy
from mmrl.settings.errors import ConfigError, note
from mmrl.settings.fields import fields, value_of
from mmrl.settings.model import Config
from mmrl.statistics.attempts import Attempts, share_of_optimum

CHUNK_ROWS = 400_000
"""Steps simulated before they are reduced: some 50 MB."""


@dataclass(frozen=True)
class Entrant:
    """One row: an agent or a run; `quotes` is its deterministic table of distances where it has one."""

    name: str
    config: Config
    quoter: Quoter
    quotes: np.ndarray | None = None
    epoch: int | None = None
    """Of a run, whose policy it is."""
    actions: str | None = None
    """Of a run: whether it plays the `MEAN` of its policy or `SAMPLED` actions."""
    fill_curve: tuple[float, float] | None = None
    """Of a closed form: (k, A), its fills at rate A exp(-k delta)."""


def named_agent(name: str, config: Config) -> Entrant:
    """An agent in the market of `config`."""
    from mmrl.agents import FROM_MID, agent, distances, playing
    from mmrl.agents.fills import fill_curve

    own, quoter = playing(name, config), agent(name, config)
    curve = fill_curve(own) if name in FROM_MID else None
    return Entrant(name, own, quoter, distances(quoter, own), fill_curve=curve)


def refuse_other_market(folder: Path, own: Config, config: Config, remedy: str = "leave --market out") -> None:
    """Raise ConfigError for a run that was trained on another market than that of `config`."""
    if own.market.name != config.market.name:
        raise ConfigError(
            f"run {folder.name} was trained on '{own.market.name}' and cannot quote on '{config.market.name}': "
            f"their observations differ; {remedy}"
        )


def run_agent(folder: Path, own: Config, config: Config, stochastic: bool | None, which: str = "best") -> Entrant:
    """A run's policy, of its best or last epoch or of epoch `which`, in the market of `config`.

    `stochastic` samples its actions, False plays their means, None what is worth more on the trajectories of its grade.
    ConfigError when it cannot play there.
    """
    from mmrl.agents import learned

    refuse_other_market(folder, own, config)
    market = config.market
    mine = {spec.name: value_of(own, spec) for spec in fields(market.name) if spec.part in ("view", "action")}
    own = own.model_copy(update={"market": market.model_copy(update=mine), "reward": config.reward})
    epoch, state = learned.checkpoint_of(folder, which)
    weights = learned.weights_in(state, own)
    actions = worth_more(own, weights) if stochastic is None else SAMPLED if stochastic else MEAN
    quotes = learned.quote_table(own, weights) if actions == MEAN and spec_of(own).exact_optimum else None
    return Entrant(folder.name, own, policy(weights, deterministic=actions == MEAN), quotes, epoch, actions)


def simulate(
    entrant: Entrant, trajectories: int, seed: int, threads: int | None = None, moves: Moves = UNPRICED
) -> Summary:
    """Summaries of `trajectories` trajectories, in chunks of bounded memory."""
    from mmrl.rollout.buffers import Buffers
    from mmrl.rollout.compiled import rollout
    from mmrl.rollout.streams import stream_seed
    from mmrl.rollout.threads import thread_count

    workers = thread_count(entrant.config.run.threads if threads is None else threads)
    market, stream = entrant.config.market, stream_seed(seed, "evaluation")
    size, buffers, parts = max(1, CHUNK_ROWS // market.nt), Buffers(), []
    for first in range(0, trajectories, size):
        count = min(size, trajectories - first)
        batch = rollout(
            entrant.config, entrant.quoter, stream, 0, first=first, count=count, threads=workers, buffers=buffers
        )
        parts.append(summarise(batch, moves, workers))
    return joined(parts)


def rule(entrant: Entrant) -> dict[str, tuple[float, float, float]] | None:
    """The quotes of a linear agent by axis: the constant, what a share held adds, and what all of T left adds."""
    if entrant.quoter.kind != "linear":
        return None
    names = (axis.name for axis in spec_of(entrant.config).axes)
    return dict(zip(names, entrant.quoter.linear, strict=True))


def _exactly(solver: Any, config: Config, entrant: Entrant, max_inventory: int | None) -> float:
    return float(solver.value_of_quotes(config.market, objective_of(config), entrant.quotes, max_inventory))


def compare(
    entrants: Sequence[Entrant], config: Config, trajectories: int, seed: int, max_inventory: int | None = None
) -> dict[str, Any]:
    """The whole comparison as plain values, ready for JSON; differences are against the first row."""
    market, spec, objective = config.market, spec_of(config), objective_of(config)
    moves = moves_of(spec, objective)
    attempts = Attempts(note, but=lambda error: isinstance(error, RangeTooNarrow))
    optimum, solver = None, market_of(config).optimum if spec.exact_optimum else None
    if spec.exact_states:
        optimum = _optimum_of_states(config, objective, max_inventory)
    if solver is not None:
        try:
            solution = attempts.get("exact optimum", lambda: solver.optimum(market, objective, max_inventory), None)
        except RangeTooNarrow as error:
            raise ConfigError(str(error)) from None
        if solution is not None:
            optimum, max_inventory = solution.value, max_inventory or max(solver.MAX_INVENTORY, solution.max_inventory)
    rows: list[dict[str, Any]] = []
    first: Summary | None = None
    for entrant in entrants:
        summary = simulate(entrant, trajectories, seed, moves=moves)
        row: dict[str, Any] = {"agent": entrant.name, "epoch": entrant.epoch, "actions": entrant.actions}
        row["rule"], row["fill_curve"] = rule(entrant), entrant.fill_curve
        row |= figures(summary, objective, spec.split)
        row["exact_ce"] = row["optimality"] = None
        if solver is not None and optimum is not None and entrant.quotes is not None:
            row["exact_ce"] = attempts.get("exact CE", partial(_exactly, solver, config, entrant, max_inventory), None)
        elif spec.exact_states:
            of_states = partial(exact.value_of, entrant.config, objective, entrant.quoter)
            row["exact_ce"] = attempts.get("exact CE", of_states, None)
        if row["exact_ce"] is not None and optimum is not None:
            row["optimality"] = share_of_optimum(row["exact_ce"], optimum)
        first = summary if first is None else first
        row["difference"], row["difference_ci"] = mean_interval(
            summary.value - first.value, float(abs(first.value).max())
        )
        rows.append(row)
    parameters: dict[str, Any] = {name: getattr(market, name) for name in spec.parameters}
    parameters["utility"] = "cara" if objective.gamma else "inventory-penalty" if objective != Objective() else "linear"
    if objective.gamma:
        parameters["risk_aversion"] = objective.gamma
    if objective.phi or objective.alpha:
        parameters |= {"inventory_penalty": objective.phi, "final_penalty": objective.alpha}
    if solver is not None:
        parameters["max_inventory"] = max_inventory
    return {
        "split": {f"pnl_{part.key}": part.label for part in spec.split},
        "market": market.name,
        "parameters": parameters,
        "trajectories": trajectories,
        "seed": seed,
        "optimum_ce": optimum,
        "rows": rows,
    }


def _optimum_of_states(config: Config, objective: Objective, max_inventory: int | None) -> float:
    """The optimum of a market that is solved by all that the maker observes."""
    if max_inventory is not None:
        raise ConfigError(f"--max-inventory {max_inventory}: market {config.market.name} bounds the inventory itself")
    solver = market_of(config).optimum
    assert solver is not None
    return float(solver.optimum(config.market, objective).value)
