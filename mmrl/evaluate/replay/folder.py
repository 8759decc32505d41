"""A replayed day as the folder of a finished run, which `mmrl plot` and `mmrl tui` show.

A block of five minutes stands for an epoch: its profit for the reward, what was earned so far for the value. The day is
the one episode.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.evaluate.replay.columns import NS
from mmrl.evaluate.replay.figures import block_edges, day_of, fees_of
from mmrl.evaluate.replay.play import SECOND, Played
from mmrl.evaluate.replay.state import NOTHING
from mmrl.markets.contract import spec_of
from mmrl.runs.episodes import write_episode
from mmrl.runs.history import History
from mmrl.runs.listing import METRICS
from mmrl.runs.status import write_status
from mmrl.runs.store import begin
from mmrl.settings.model import Config
from mmrl.settings.sources import replaced

POINTS = 4_000
"""Of the day at most; fills are all kept."""
MOST_FILLS = 200_000


def write_day(p: Played, config: Config, name: str, results: str) -> Path:
    """Write the folder; returns it. ConfigError where the name is taken."""
    records = block_records(p)
    own = replaced(config, {"run.name": name, "run.results": results, "training.ne": len(records)})
    with begin(own, {}) as lock:
        write_status(lock.folder, "starting", target=len(records), epoch=0)
        History(lock.folder / METRICS).append(*records)
        write_episode(lock.folder, len(records), day_arrays(p, config))
        write_status(lock.folder, "finished", epoch=len(records), target=len(records), error=None)
        return lock.folder


def block_records(p: Played) -> list[dict[str, Any]]:
    """A record for each block of five minutes, in the names of an epoch's."""
    edges = block_edges(p)
    day = day_of(p, edges)
    filled = np.searchsorted(p.fill_time, edges, "right")
    records = []
    for k, (start, end) in enumerate(pairwise(edges)):
        here = slice(*np.searchsorted(p.times, (start, end)))
        both = (p.bid[here] != NOTHING) & (p.ask[here] != NOTHING)
        spread = (p.ask[here] - p.bid[here])[both]
        records.append({
            "epoch": k + 1,
            "trajectories": 1,
            "steps": int(here.stop - here.start),
            "reward_mean": float(day.value[k + 1] - day.value[k]),
            "value_mean": float(day.value[k + 1]),
            "inventory_mean": float(p.inventory[here].mean()) / p.rules.lots if here.stop > here.start else None,
            "spread_mean": float(spread.mean()) * p.tape.tick if len(spread) else None,
            "fills": int(filled[k + 1] - filled[k]),
        })  # fmt: skip
    return records


def day_arrays(p: Played, config: Config) -> dict[str, np.ndarray]:
    """The arrays of the episode: quotes, prices, money and inventory over time, and every fill as a mark."""
    unit = NS.get(spec_of(config).time_unit, float(SECOND))
    chosen = np.unique(np.linspace(0, len(p.times) - 1, min(POINTS, len(p.times))).astype(np.int64))
    times = p.times[chosen]
    day = day_of(p, times)
    series = {
        "mid": day.mid * p.tape.tick,
        "bid": _prices(p.bid[chosen], p.tape.tick),
        "ask": _prices(p.ask[chosen], p.tape.tick),
        "wealth": day.cash,
        "inventory": day.lots / p.rules.lots,
        "value": day.value,
    }
    series["spread"] = series["ask"] - series["bid"]
    start, marks = int(p.times[0]), slice(0, MOST_FILLS)
    arrays: dict[str, np.ndarray] = {"time": (times - start) / unit, "alive": np.ones(len(times), np.int64)}
    for name, values in series.items():
        arrays[f"{name}_mean"] = arrays[f"replay_{name}"] = np.asarray(values, np.float64)
    return arrays | {
        "fill_time": (p.fill_time[marks] - start) / unit,
        "fill_price": p.fill_tick[marks] * p.tape.tick,
        "fill_shares": p.fill_lots[marks] / p.rules.lots,
        "fill_fee": fees_of(p)[marks],
    }


def _prices(ticks: np.ndarray, tick: float) -> np.ndarray:
    return np.where(ticks == NOTHING, np.nan, ticks * tick)
