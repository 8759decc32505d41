"""Figures of a maker on a tape, from its fills and the path of the best prices alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.evaluate.replay.play import SECOND, Played
from mmrl.evaluate.replay.state import NOTHING
from mmrl.statistics.intervals import LEAST

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
AFTER = (1, 10, 60)
"""Seconds after a fill at which the move of the mid is taken."""
BLOCK = 300 * SECOND
RESAMPLES = 4_000


@dataclass(frozen=True)
class Day:
    """Value, cash and lots held as steps in time: from each of `times` [K] on, money in currency."""

    times: Int64
    lots: Int64
    cash: Float64
    mid: Float64
    value: Float64


def money(p: Played) -> float:
    """Currency of a tick times a lot."""
    return p.tape.tick * p.tape.lot


def mids_at(p: Played, times: Int64, before: bool = False) -> Float64:
    """Mids in ticks as known at times, or just before them; before the first the first."""
    at = np.searchsorted(p.path_time, times, "left" if before else "right") - 1
    at = np.maximum(at, 0)
    return np.asarray(0.5 * (p.path_bid[at] + p.path_ask[at]), np.float64)


def fees_of(p: Played) -> Float64:
    """Fee of each fill in currency."""
    table = p.rules.fees.table(p.tape)[p.fill_taking.astype(np.int64)]
    return np.asarray(np.abs(p.fill_lots) * (table[:, 0] + table[:, 1] * p.fill_tick) * money(p), np.float64)


def day_of(p: Played, times: Int64) -> Day:
    """Where the maker stands at times."""
    filled = np.searchsorted(p.fill_time, times, "right")
    lots = np.concatenate([[0], np.cumsum(p.fill_lots)])[filled]
    paid = np.cumsum(p.fill_lots * p.fill_tick * money(p) + fees_of(p))
    cash = -np.concatenate([[0.0], paid])[filled]
    mid = mids_at(p, times)
    return Day(times, lots, cash, mid, cash + lots * mid * money(p))


def block_edges(p: Played) -> Int64:
    """Start, every full five minutes of the clock, and end of what was played."""
    start, end = int(p.times[0]), p.tape.end
    inner = np.arange(start // BLOCK + 1, end // BLOCK + 1) * BLOCK
    return np.concatenate([[start], inner[(inner > start) & (inner < end)], [end]]).astype(np.int64)


def blocks_of(p: Played) -> Float64:
    """Profit of each block of five minutes [B], currency."""
    return np.asarray(np.diff(day_of(p, block_edges(p)).value), np.float64)


def total_interval(blocks: Float64, seed: int = 0) -> list[float] | None:
    """95 % interval of a sum over blocks by resampling them; None for fewer than `LEAST` blocks, or equal ones."""
    if len(blocks) < LEAST or not float(blocks.std()) > 0:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(blocks), (RESAMPLES, len(blocks)))
    low, high = np.quantile(blocks[drawn].sum(axis=1), (0.025, 0.975))
    return [float(low), float(high)]


def figures(p: Played) -> dict[str, Any]:
    """One row of the report; money in currency, sizes in shares of the run's market, None where there is nothing."""
    unit, share = money(p), p.rules.lots
    ends = p.tape.end
    blocks, final = blocks_of(p), day_of(p, np.array([ends], np.int64))
    before = mids_at(p, p.fill_time, before=True)
    edge = p.fill_lots * (before - p.fill_tick) * unit
    fees = float(fees_of(p).sum())
    made = ~p.fill_taking
    pnl, spread = float(final.value[0]), float(edge.sum())
    filled = float(np.abs(p.fill_lots).sum()) / share
    times = np.unique(np.concatenate([p.times[:1], p.path_time, p.fill_time, [ends]]))
    day = day_of(p, times[(times >= p.times[0]) & (times <= ends)])
    span = np.diff(day.times).astype(np.float64)
    both = (p.bid != NOTHING) & (p.ask != NOTHING)
    deviation = float(blocks.std(ddof=1)) if len(blocks) > 1 else 0.0
    return {
        "agent": p.name,
        "pnl": pnl,
        "pnl_ci": total_interval(blocks),
        "blocks": len(blocks),
        "pnl_spread": spread,
        "pnl_closing": float(edge[~made].sum()),
        "pnl_fees": 0.0 - fees,
        "pnl_inventory": pnl - spread + fees,
        **{f"adverse_{n}s": adverse(p, n) for n in AFTER},
        "fills": int(made.sum()),
        "orders": p.sent,
        "fill_rate": float(np.abs(p.fill_lots[made]).sum()) / p.lots_sent if p.lots_sent else None,
        "shares": filled,
        "volume": float((np.abs(p.fill_lots) * p.fill_tick).sum() * unit),
        "spread_quoted": float((p.ask - p.bid)[both].mean() * p.tape.tick) if both.any() else None,
        "quoted": float(both.mean()) if len(both) else None,
        "inventory_abs_mean": float(np.average(np.abs(day.lots[:-1]), weights=span)) / share if span.sum() else 0.0,
        "inventory_most": float(np.abs(day.lots).max()) / share,
        "inventory_left": p.left / share,
        "max_drawdown": float((np.maximum.accumulate(day.value) - day.value).max()),
        "sharpe_5min": float(blocks.mean()) / deviation if deviation > 0 else None,
        "pnl_per_share": pnl / filled if filled else None,
        "decisions": len(p.times),
    }


def adverse(p: Played, seconds: int) -> float:
    """Shares of each fill of a resting order times the move of the mid in the seconds after it; below 0: against it."""
    made = ~p.fill_taking
    time = p.fill_time[made]
    moved = mids_at(p, time + seconds * SECOND) - mids_at(p, time, before=True)
    return float((p.fill_lots[made] * moved).sum() * money(p))


def difference(p: Played, first: Played) -> tuple[float, list[float] | None]:
    """Profit less that of another maker on the same tape, with the interval of paired blocks."""
    mine, other = blocks_of(p), blocks_of(first)
    total = float(mine.sum() - other.sum())
    paired = len(mine) == len(other) and p.name != first.name
    return total, total_interval(mine - other) if paired else None


def half(interval: list[float] | None) -> float:
    """Half of an interval, NaN where there is none."""
    return math.nan if interval is None else (interval[1] - interval[0]) / 2
