"""`mmrl replay`: a run and classical agents on a real day, beside what the run's simulated market promises."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.calibrate.source import moment
from mmrl.commands.replay_report import MS, facts, finite, report, show_sweep
from mmrl.data.recognise import AUTO
from mmrl.data.table import Options
from mmrl.evaluate.replay import engine
from mmrl.evaluate.replay.columns import NS
from mmrl.markets.contract import spec_of
from mmrl.plots.output import say
from mmrl.plots.table import room
from mmrl.plots.text import printable
from mmrl.runs.outputs import check_output
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config

SUFFIXES = (".pdf", ".png", ".svg", ".txt")


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
    from mmrl.runs.config_file import read_config
    from mmrl.runs.listing import find_run

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
        show_sweep(*swept, found, asked.run, asked.save, asked.json)
        return
    tape = tape_for(rules)
    decisions = decisions_for(tape, rules)
    result = study.study(entrants, tape, rules, decisions, asked.trajectories, asked.seed)
    _keep(asked, result.played[0], config)
    if asked.json:
        print(json.dumps(finite(facts(result, config, source)), allow_nan=False))
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
    if Path(asked.save).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--save {asked.save}: the name must end in one of {', '.join(SUFFIXES)}")
    check_output("--save", asked.save)


def _source(folder: Path) -> dict[str, Any]:
    """What the market of a run was fitted to, as its market file tells; empty for a market by hand."""
    from mmrl.runs.store import MARKET, check_market
    from mmrl.settings.market_file import read_market_file

    if not (folder / MARKET).exists():
        return {}
    check_market(folder)
    return dict(read_market_file(folder / MARKET).source)


def _keep(asked: Asked, first: Any, config: Config) -> None:
    """Write the day as a run and as a figure, where that is asked for."""
    from mmrl.evaluate.replay.folder import write_day
    from mmrl.evaluate.replay.pictures import day_panels, write

    if asked.name is not None:
        folder = write_day(first, config, asked.name, asked.results)
        told = f"wrote {folder}: mmrl plot {asked.name} --what episode"
        say(printable(told), sys.stderr)
    if asked.save is not None:
        unit = spec_of(config).time_unit
        write(day_panels(first, config), Path(asked.save), f"time ({unit if unit in NS else 's'})", first.name)
        say(f"wrote {printable(asked.save)}", sys.stderr)
