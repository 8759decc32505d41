"""`mmrl quote`: the quotes of a run's policy by inventory and time as numbers, beside the optimum where it is known."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.agents import learned
from mmrl.agents.inputs import MAX_INVENTORY
from mmrl.markets.contract import Axis, RangeTooNarrow, Spec, market_of, spec_of
from mmrl.plots.numbers import amount
from mmrl.plots.table import Column, room, table
from mmrl.plots.text import wrapped
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.config_file import read_config
from mmrl.runs.listing import find_run
from mmrl.settings.errors import note
from mmrl.settings.model import Config

LEAST, MOST = 10, 40
"""Of a table: inventories a side at least, and points a side at most."""
TIMES = 100
"""Of a table: times at most."""
REACH = 3.0
"""Standard deviations of the inventory that a table covers."""


@dataclass(frozen=True)
class Quotes:
    """Quotes [K, Q, A] of a policy and of the optimum (NaN where it has none) at K times and Q inventories."""

    run: str
    epoch: int
    times: np.ndarray
    """Shares of the horizon that have passed."""
    inventory: np.ndarray
    axes: tuple[Axis, ...]
    policy: np.ndarray
    optimum: np.ndarray | None

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a time and inventory, fit for JSON and CSV; null where a side does not quote."""
        for k, time in enumerate(self.times):
            for j, held in enumerate(self.inventory):
                row: dict[str, Any] = {"time": float(time), "inventory": int(held)}
                for a, axis in enumerate(self.axes):
                    row[axis.name] = _plain(float(self.policy[k, j, a]))
                for a, axis in enumerate(self.axes):
                    if self.optimum is not None and axis.kind == "distance":
                        row[f"optimum {axis.name}"] = _plain(float(self.optimum[k, j, a]))
                yield row


def quote(
    run: str, inventory: int | None, time: float | None, as_table: bool, epoch: str, results: str, as_json: bool
) -> None:
    """Print the quotes at one inventory and time, or at all of them as CSV; with JSON either as JSON."""
    folder = Path(find_run(run, results).folder)
    config = read_config(folder).config
    number, state = learned.checkpoint_of(folder, epoch)
    weights, spec = learned.weights_in(state, config), spec_of(config)
    times = np.array([time if time is not None else 0.0])
    held = np.array([inventory if inventory is not None else 0])
    if as_table:
        times = _times(spec.steps) if time is None else times
        held = _inventories(spec, weights) if inventory is None else held
    policy = learned.actions(config, weights, held, 1.0 - times)
    found = Quotes(folder.name, number, times, held, spec.axes, policy, _optimum(config, held, times))
    if as_table:
        print(_json(found, list(found.rows())) if as_json else _csv(found), end="\n" if as_json else "")
    elif as_json:
        print(_json(found, next(found.rows())))
    else:
        print("\n".join(_for_readers(found, spec, room())))


def _times(steps: int) -> np.ndarray:
    return np.arange(0, steps, math.ceil(steps / TIMES)) / steps


def _inventories(spec: Spec, weights: PolicyWeights) -> np.ndarray:
    """Whole inventories on both sides of 0 that the policy met while it learned."""
    column = spec.column_of("inventory")
    seen = 0.0 if column is None else abs(float(weights.obs_mean[column])) + REACH * float(weights.obs_std[column])
    furthest = max(math.ceil(seen), LEAST)
    furthest = min(furthest, MAX_INVENTORY) if spec.exact_optimum else furthest
    return np.unique(np.rint(np.linspace(-furthest, furthest, 2 * min(furthest, MOST) + 1))).astype(np.int64)


def _optimum(config: Config, held: np.ndarray, times: np.ndarray) -> np.ndarray | None:
    """The optimum's quotes, None where the market is not solved by inventory and time."""
    from mmrl.markets.objective import objective_of

    spec, solver = spec_of(config), market_of(config).optimum
    if not spec.exact_optimum or solver is None:
        return None
    try:
        solved = solver.optimum(config.market, objective_of(config))
    except RangeTooNarrow as error:
        note(f"no optimum: {error}")
        return None
    table, most = np.asarray(solved.delta), solved.max_inventory
    rows = np.minimum((times * spec.steps).astype(np.int64), len(table) - 1)
    inside = np.abs(held) <= most
    chosen = table[rows][:, np.clip(held, -most, most) + most]
    found = np.full((len(times), len(held), len(spec.axes)), math.nan)
    found[..., spec.distances] = np.where(inside[None, :, None] & np.isfinite(chosen), chosen, math.nan)
    return found


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(found: Quotes, quotes: Any) -> str:
    units = {axis.name: axis.unit for axis in found.axes}
    return json.dumps({"run": found.run, "epoch": found.epoch, "units": units, "quotes": quotes}, allow_nan=False)


def _csv(found: Quotes) -> str:
    """As many digits as the 32 bits of the network have."""
    text = io.StringIO()
    rows = list(found.rows())
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value is None else f"{value:.7g}" for key, value in row.items()})
    return text.getvalue()


def _for_readers(found: Quotes, spec: Spec, width: int) -> Iterator[str]:
    time, held = float(found.times[0]), int(found.inventory[0])
    yield from wrapped(f"{found.run}, epoch {found.epoch}: inventory {held}, time {time:g} T", width, "  ")
    rows = [
        (
            axis.name,
            _number(found.policy[0, 0, a]),
            "" if found.optimum is None else _number(found.optimum[0, 0, a]),
            axis.unit,
        )
        for a, axis in enumerate(found.axes)
    ]
    yield from table([Column("quote", "label"), Column("run"), Column("optimum"), Column("unit", "label")], rows, width)
    others = [column.name for column in spec.columns if column.role not in ("inventory", "time left")]
    if others:
        yield from wrapped(f"what else it sees is at its mean: {', '.join(others)}", width, "  ")


def _number(value: float) -> str:
    return amount(float(value)) if math.isfinite(value) else "none"
