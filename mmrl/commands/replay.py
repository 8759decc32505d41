"""`mmrl replay`: a run and classical agents on a real day, beside what the run's simulated market promises."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.calibrate.source import clock, moment
from mmrl.data.recognise import AUTO
from mmrl.data.table import Options
from mmrl.evaluate.replay import engine
from mmrl.evaluate.replay.columns import NS
from mmrl.markets.contract import spec_of
from mmrl.plots.numbers import HALF, amount
from mmrl.plots.table import Column, room, table
from mmrl.plots.text import printable, wrapped
from mmrl.settings.declare import ConfigError
from mmrl.settings.model import Config

MS = 1_000_000
"""Nanoseconds."""
SUFFIXES = (".pdf", ".png", ".svg", ".txt")
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


@dataclass(frozen=True)
class Asked:
    """What stands on the command line."""

    run: str
    data: Sequence[str]
    agents: Sequence[str] = ()
    latency_ms: float = 1.0
    fee_maker: str | None = None
    fee_taker: str | None = None
    queue: str = "risk-averse"
    interval: float | None = None
    start: str | None = None
    end: str | None = None
    lots: int | None = None
    format: str = AUTO
    date: str | None = None
    symbol: str | None = None
    tick: float | None = None
    lot: float | None = None
    epoch: str = "best"
    stochastic: bool = False
    trajectories: int = 1_000
    seed: int = 0
    sweep: str | None = None
    save: str | None = None
    name: str | None = None
    results: str = "results"
    json: bool = False


def replay(asked: Asked) -> None:
    """Play, then print the report or JSON, and write what is asked for."""
    from mmrl.agents import check
    from mmrl.evaluate import compare
    from mmrl.evaluate.replay import study
    from mmrl.evaluate.replay.play import decisions_of
    from mmrl.evaluate.replay.tape import tape_of
    from mmrl.runs.store import find_run, read_config

    engine.loaded()
    _check_save(asked)
    folder = Path(find_run(asked.run, asked.results).folder)
    stored = read_config(folder)
    config = stored.config
    for name in asked.agents:
        check(name, config)
    source = _source(folder)
    rules = rules_of(asked, config, source)
    swept = sweep_of(asked.sweep)
    until = None if asked.end is None else moment(asked.end, "--to")
    if rules.start is not None and until is not None and until <= rules.start:
        raise ConfigError(
            f"--from {asked.start} is not before --to {asked.end}: give an earlier and a later time of the day"
        )
    options = Options(asked.tick, asked.lot, asked.date, asked.symbol)

    def tape_for(own: Any) -> Any:
        return tape_of(asked.data, asked.format, options, own.latency_ns, until)

    def decisions_for(tape: Any, own: Any) -> Any:
        return decisions_of(config, tape, own, bool(source), folder.name)

    entrants = [compare.run_agent(folder, config, config, asked.stochastic, asked.epoch)]
    entrants += [compare.named_agent(name, config) for name in asked.agents]
    if swept:
        found = study.sweep(entrants, tape_for, rules, decisions_for, *swept)
        _show_sweep(asked, *swept, found)
        return
    tape = tape_for(rules)
    decisions = decisions_for(tape, rules)
    result = study.study(entrants, tape, rules, decisions, asked.trajectories, asked.seed)
    _keep(asked, result.played[0], config)
    if asked.json:
        print(json.dumps(_plain(plain(result, config, source)), allow_nan=False))
    else:
        print("\n".join(report(result, config, source, room())))


def rules_of(asked: Asked, config: Config, source: dict[str, Any]) -> Any:
    """The rules of the tape: those asked for, else those of the run's market."""
    from mmrl.evaluate.replay.play import Rules, queue_of

    queue_of(asked.queue)
    if not 0 <= asked.latency_ms <= 60_000:
        raise ConfigError(f"--latency-ms = {asked.latency_ms:g} is not allowed: 0 to 60000 milliseconds")
    if asked.interval is not None and not 1e-6 <= asked.interval <= 86_400:
        raise ConfigError(f"--decision-interval = {asked.interval:g} is not allowed: 1e-6 to 86400 seconds")
    lots = int(source.get("lots_of_a_share", 1)) if asked.lots is None else asked.lots
    return Rules(
        latency_ns=round(asked.latency_ms * MS),
        queue=asked.queue,
        fees=fees_of(asked, config),
        interval=asked.interval,
        lots=lots,
        start=None if asked.start is None else moment(asked.start, "--from"),
        seed=asked.seed,
    )


def fees_of(asked: Asked, config: Config) -> Any:
    """Fees as asked for, 0.002 a share or 0.02% of the value; else those of the run's market, else none."""
    from mmrl.evaluate.replay.play import Fees

    market = config.market.model_dump()
    values, percents = [], set()
    for option, text, name in (
        ("--fee-maker", asked.fee_maker, "maker_fee"),
        ("--fee-taker", asked.fee_taker, "taker_fee"),
    ):
        if text is None:
            values.append(float(market.get(name, 0.0)))
            if values[-1]:
                percents.add(False)
            continue
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ConfigError(
                f"{option} = {text!r} is not allowed: a number, currency a share; or 0.02%, of the value traded"
            )
        values.append(value / 100 if text.endswith("%") else value)
        if value:
            percents.add(text.endswith("%"))
    if len(percents) > 1:
        raise ConfigError("--fee-maker and --fee-taker must both count by share or both in %: give both of one kind")
    maker, taker = values
    return Fees(maker, taker, of_value=True in percents)


def sweep_of(text: str | None) -> tuple[str, list[Any]] | None:
    """The rule that is varied and its values, of latency=0,1,5 (ms) or queue=risk-averse,log,power:3."""
    from mmrl.evaluate.replay.play import queue_of

    if text is None:
        return None
    name, _, listed = text.partition("=")
    values = [value.strip() for value in listed.split(",") if value.strip()]
    if name == "queue" and values:
        for value in values:
            queue_of(value)
        return "queue", values
    if name == "latency" and values:
        try:
            return "latency_ns", [round(_latency(value) * MS) for value in values]
        except ValueError:
            pass
    raise ConfigError(
        f"--sweep {text!r} is not allowed: latency=0,1,5,20 in milliseconds, or queue=risk-averse,log,power:3"
    )


def _latency(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 60_000:
        raise ValueError(text)
    return value


def _check_save(asked: Asked) -> None:
    if asked.save is None:
        return
    path = Path(asked.save)
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--save {asked.save}: the name must end in one of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--save {asked.save}: there is no folder {path.parent}")


def _source(folder: Path) -> dict[str, Any]:
    """What the market of a run was fitted to, as its market file tells; empty for a market by hand."""
    from mmrl.runs.store import MARKET, check_market
    from mmrl.settings.market_file import read_market_file

    if not (folder / MARKET).exists():
        return {}
    check_market(folder)
    return dict(read_market_file(folder / MARKET).source)


def plain(result: Any, config: Config, source: dict[str, Any]) -> dict[str, Any]:
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
        if not 1 / MIDS_APART < mid / fitted < MIDS_APART or source.get("tick", tape.tick) != tape.tick:
            yield (
                f"the run's market was fitted to prices of {fitted:g} in ticks of {source.get('tick', tape.tick):g}; "
                f"here they are about {mid:.6g} in ticks of {tape.tick:g}: another instrument"
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
    paid = (
        f"On this tape {row['agent']} {'earns' if row['pnl'] >= 0 else 'loses'} {_absolute(row)} in {hours:.3g} hours"
    )
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


def _plain(value: Any) -> Any:
    """Numbers that JSON has: NaN and infinities become null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _show_sweep(asked: Asked, name: str, values: Sequence[Any], found: dict[str, list[dict[str, Any]]]) -> None:
    """A table and curves of the sweep, or JSON; a file where one is asked for."""
    from mmrl.evaluate.replay import pictures

    shown = [value / MS for value in values] if name == "latency_ns" else list(values)
    title = "latency (ms)" if name == "latency_ns" else "queue model"
    if asked.json:
        print(json.dumps(_plain({"sweep": title, "values": shown, "by": found}), allow_nan=False))
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
    if asked.save is None:
        print(pictures.on_terminal(panels, title, list(found)))
    else:
        pictures.write(panels, Path(asked.save), title, f"{asked.run} by {title}", list(found))
        print(f"wrote {printable(asked.save)}")


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _keep(asked: Asked, first: Any, config: Config) -> None:
    """Write the day as a run and as a figure, where that is asked for."""
    from mmrl.evaluate.replay.folder import write_day
    from mmrl.evaluate.replay.pictures import day_panels, write

    if asked.name is not None:
        folder = write_day(first, config, asked.name, asked.results)
        told = f"wrote {folder}: mmrl plot {asked.name} --what episode"
        print(printable(told), file=sys.stderr)
    if asked.save is not None:
        unit = spec_of(config).time_unit
        write(day_panels(first, config), Path(asked.save), f"time ({unit if unit in NS else 's'})", first.name)
        print(f"wrote {printable(asked.save)}", file=sys.stderr)
