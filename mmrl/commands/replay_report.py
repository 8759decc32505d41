"""What `mmrl replay` tells: its tables, its closing sentence, its JSON, and the curves of a sweep."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmrl.calibrate.source import clock
from mmrl.plots.numbers import HALF, amount, price
from mmrl.plots.table import Column, room, table
from mmrl.plots.text import printable, wrapped
from mmrl.settings.model import Config

MS = 1_000_000
"""Nanoseconds."""
MIDS_APART = 2.0
"""Ratio of mid prices from which on a tape is another instrument than the one that a market was fitted to."""

OUTCOME, PARTS = "outcome", "where the profit comes from"
Shown = tuple[str, str]
"""The key of a figure, and that of its interval."""
COLUMNS: dict[str, dict[str, Shown]] = {
    OUTCOME: {
        "PnL": ("pnl", "pnl_ci"),
        "PnL - first": ("difference", "difference_ci"),
        "fills": ("fills", ""),
        "fill rate": ("fill_rate", ""),
        "shares": ("shares", ""),
        "volume": ("volume", ""),
        "spread": ("spread_quoted", ""),
        "mean |q|": ("inventory_abs_mean", ""),
        "most |q|": ("inventory_most", ""),
        "drawdown": ("max_drawdown", ""),
        "Sharpe 5 min": ("sharpe_5min", ""),
        "PnL a share": ("pnl_per_share", ""),
    },
    PARTS: {
        "PnL spread": ("pnl_spread", ""),
        "of it closing": ("pnl_closing", ""),
        "fees": ("pnl_fees", ""),
        "PnL inventory": ("pnl_inventory", ""),
        "adverse 1 s": ("adverse_1s", ""),
        "10 s": ("adverse_10s", ""),
        "60 s": ("adverse_60s", ""),
    },
}

SWEPT = ("PnL", "fills", "PnL spread", "adverse 1 s", "10 s", "60 s", "mean |q|")
"""Columns of a sweep."""


def facts(result: Any, config: Config, source: dict[str, Any]) -> dict[str, Any]:
    """The whole result as plain values."""
    from mmrl.evaluate.replay.study import gap

    first = result.played[0]
    found: dict[str, Any] = {
        "run": first.name,
        "market": config.market.name,
        "data": about(first),
        "rules": {
            "latency_ms": first.rules.latency_ns / MS,
            "queue": first.rules.queue,
            "fee_maker": first.rules.fees.maker,
            "fee_taker": first.rules.fees.taker,
            "fees_of_value": first.rules.fees.of_value,
            "lots_of_a_share": first.rules.lots,
            "decisions": len(first.times),
            "episode_decisions": first.steps,
        },
        "fitted_to": source.get("files", []),
        "warnings": list(warnings(first, config, source)),
        "rows": result.rows,
        "simulated": result.simulated,
    }
    if result.simulated:
        lost, half = gap(result.rows[0], result.simulated)
        found["gap"] = {"value": lost, "half": half}
    return found


def about(first: Any) -> dict[str, Any]:
    """The tape in short."""
    tape = first.tape
    return {
        "files": list(tape.files),
        "format": tape.format,
        "date": tape.date,
        "from": clock(int(first.times[0]) - tape.midnight),
        "to": clock(tape.end - tape.midnight),
        "events": len(tape.seen),
        "tick": tape.tick,
        "lot": tape.lot,
        "notes": tape.notes,
    }


def warnings(first: Any, config: Config, source: dict[str, Any]) -> Iterator[str]:
    """What speaks against a comparison."""
    tape = first.tape
    if source:
        mid = 0.5 * float(first.path_bid[0] + first.path_ask[0]) * tape.tick
        fitted = float(config.market.model_dump().get("midprice", mid))
        tick = float(source.get("tick", tape.tick))
        if not 1 / MIDS_APART < mid / fitted < MIDS_APART or tick != tape.tick:
            was, here = price(round(fitted / tick), tick), price(round(mid / tape.tick), tape.tick)
            yield (
                f"the run's market was fitted to prices of {was} in ticks of {tick:g}; here they are about {here} in "
                f"ticks of {tape.tick:g}: another instrument"
            )
        if set(source.get("files", ())) & set(tape.files):
            last, here = str(source.get("to", "24:00:00")), clock(int(first.times[0]) - tape.midnight)
            if last < here:
                yield f"the run's market was fitted to this file until {last}, before what is replayed"
            else:
                yield f"the run's market was fitted to this file until {last}: what is replayed is not new to it"
    else:
        yield "the run's market was not fitted to data: the tape is another world than the one that it learned"
    if first.left:
        yield f"{abs(first.left)} lots could not be closed before the tape ended: valued at the mid"


def report(result: Any, config: Config, source: dict[str, Any], width: int) -> Iterator[str]:
    """What was replayed, two tables, one row a maker, and the gap between tape and simulation."""
    first = result.played[0]
    day, rules = about(first), first.rules
    date = f" {day['date']}" if day["date"] else ""
    where = f"{', '.join(day['files'])} ({day['format']}),{date} {day['from']} to {day['to']}, {day['events']:,} events"
    yield from wrapped(printable(where), width, "  ")
    fees = rules.fees
    kind = "of the value" if fees.of_value else "a share"
    costs = ", ".join(
        f"{name} {value:.4%}" if fees.of_value else f"{name} {value:g}"
        for name, value in (("maker fee", fees.maker), ("taker fee", fees.taker))
    )
    seconds = float(first.end - first.times[0]) / len(first.times) / 1e9
    yield from wrapped(
        f"latency {rules.latency_ns / MS:g} ms one way, queue model {rules.queue}, {costs} {kind}; "
        f"{len(first.times):,} decisions, one in {seconds:.3g} s, {first.steps} an episode; "
        f"a share is {rules.lots * first.tape.lot:g}; intervals by blocks of five minutes",
        width,
        "  ",
    )
    for reason, count in first.tape.notes.items():
        yield from wrapped(f"note: {count} {reason}", width, "  ")
    for warning in warnings(first, config, source):
        yield from wrapped(f"mind: {warning}", width, "  ")
    rows = [*result.rows, *([result.simulated] if result.simulated else [])]
    for title, columns in COLUMNS.items():
        yield ""
        yield from _table(title, columns, rows, width)
    yield ""
    yield from wrapped(closing_sentence(result, day), width)


def _table(title: str, columns: dict[str, Shown], rows: Sequence[dict[str, Any]], width: int) -> Iterator[str]:
    """One row a maker; a column is a figure, with its interval where it has one."""
    yield from table(
        [Column("maker", "label"), *map(Column, columns)],
        [
            (row["agent"], *(_number(row.get(key), row.get(interval)) for key, interval in columns.values()))
            for row in rows
        ],
        width,
        f"{title} ({HALF})" if title == OUTCOME else title,
    )


def closing_sentence(result: Any, day: dict[str, Any]) -> str:
    """What the tape paid, what the simulation promised, and the gap."""
    from mmrl.evaluate.replay.study import gap

    row, hours = result.rows[0], float(result.played[0].tape.end - result.played[0].times[0]) / 3.6e12
    span = f"{hours:.3g} hour{'' if f'{hours:.3g}' == '1' else 's'}"
    paid = f"On this tape {row['agent']} {'earns' if row['pnl'] >= 0 else 'loses'} {_absolute(row)} in {span}"
    if not result.simulated:
        return f"{paid}."
    lost, half = gap(row, result.simulated)
    promised = amount(result.simulated["pnl"], _half(result.simulated["pnl_ci"]))
    size = amount(abs(lost), half if math.isfinite(half) else None)
    return (
        f"{paid}; its simulated market promises {promised} for that time: reality pays {size} "
        f"{'less' if lost >= 0 else 'more'}."
    )


def _absolute(row: dict[str, Any]) -> str:
    return amount(abs(row["pnl"]), _half(row["pnl_ci"]))


def _half(interval: Sequence[float] | None) -> float | None:
    return None if interval is None else (interval[1] - interval[0]) / 2


def _number(value: float | None, interval: Sequence[float] | None = None) -> str:
    return "-" if value is None else amount(value, _half(interval))


def finite(value: Any) -> Any:
    """Numbers that JSON has: NaN and infinities become null."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show_sweep(
    name: str, values: Sequence[Any], found: dict[str, list[dict[str, Any]]], run: str, save: str | None, as_json: bool
) -> None:
    """A table and curves of the sweep, or JSON; a file where one is asked for."""
    from mmrl.evaluate.replay import pictures

    shown = [value / MS for value in values] if name == "latency_ns" else list(values)
    title = "latency (ms)" if name == "latency_ns" else "queue model"
    if as_json:
        print(json.dumps(finite({"sweep": title, "values": shown, "by": found}), allow_nan=False))
        return
    every = COLUMNS[OUTCOME] | COLUMNS[PARTS]
    for agent, rows in found.items():
        named = [{**row, "agent": _short(value)} for value, row in zip(shown, rows, strict=True)]
        print(
            "\n".join([f"{agent}, by {title}", *_table(OUTCOME, {key: every[key] for key in SWEPT}, named, room()), ""])
        )
    if name == "queue":
        print(", ".join(f"{k} {value}" for k, value in enumerate(shown, 1)))
    panels = pictures.sweep_panels(shown, found)
    if save is None:
        print(pictures.on_terminal(panels, title, list(found)))
    else:
        pictures.write(panels, Path(save), title, f"{run} by {title}", list(found))
        print(f"wrote {printable(save)}")


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
