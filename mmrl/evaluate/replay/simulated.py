"""The row of the simulated market beside those of a tape: what the run's own market promises for as long a time."""

from __future__ import annotations

import math
from typing import Any

from mmrl.evaluate.compare import Entrant, simulate
from mmrl.evaluate.metrics import figures
from mmrl.evaluate.replay.figures import BLOCK
from mmrl.evaluate.replay.play import Played, distance_of_tick
from mmrl.markets.contract import spec_of
from mmrl.markets.objective import objective_of


def simulated_row(entrant: Entrant, played: Played, trajectories: int, seed: int) -> dict[str, Any]:
    """The figures of `figures.figures` that a simulation has, for as many episodes as the tape holds; None for others.

    Prices of the market are scaled to ticks of the tape, shares to its lots. The interval is that of the mean.
    """
    config, tape = entrant.config, played.tape
    found = figures(simulate(entrant, trajectories, seed), objective_of(config), spec_of(config).split)
    episodes = len(played.times) / played.steps
    unit = tape.tick / distance_of_tick(config, tape) * played.rules.lots * tape.lot
    scale = episodes * unit
    seconds = float(tape.end - played.times[0]) / 1e9 / episodes
    interval, fills = found["value_ci"], found["fills_mean"]
    return {
        "agent": "simulated",
        "pnl": found["value_mean"] * scale,
        "pnl_ci": interval and [bound * scale for bound in interval],
        "pnl_spread": found["pnl_spread"] * scale,
        "pnl_fees": found.get("pnl_fees", 0.0) * scale,
        "pnl_inventory": found["pnl_inventory"] * scale,
        "shares": fills * episodes,
        "inventory_abs_mean": found["inventory_abs_mean"],
        "sharpe_5min": None if not found["sharpe"] else found["sharpe"] * math.sqrt(BLOCK / 1e9 / seconds),
        "pnl_per_share": found["value_mean"] * unit / fills if fills else None,
        "episodes": episodes,
        "trajectories": trajectories,
    }
