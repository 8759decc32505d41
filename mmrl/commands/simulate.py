"""`mmrl simulate`: the tape of a market as LOBSTER files, and what it shows."""

from __future__ import annotations

import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mmrl.commands.evaluate import playing_field
from mmrl.markets.contract import market_of, spec_of
from mmrl.plots.numbers import compact
from mmrl.plots.output import say
from mmrl.plots.table import Column, room, table
from mmrl.plots.text import wrapped
from mmrl.runs.memory import require_disk, require_trajectory
from mmrl.settings.errors import ConfigError, note
from mmrl.settings.fields import NAME, field
from mmrl.settings.model import Config
from mmrl.settings.sources import presets, set_values
from mmrl.settings.upgrade import new_key
from mmrl.training.compiling import compiling
from mmrl.training.signals import ASKED

NOBODY = "none"
FLOWS = ("limit_orders", "cancellations", "market_orders")
LONGEST = 1e7
"""Of a tape, in the market's unit of time."""
MESSAGE, LEVEL = 40, 16
"""Bytes that an event takes in the two files at least, and each level of the book after it."""
SHOWN = 10
"""Distances, spreads and levels that the summary for readers has at most."""


def simulate(
    market: str | None,
    preset: str | None,
    assignments: list[str],
    agent: str,
    run: str | None,
    epoch: str | None,
    stochastic: bool | None,
    events: int | None,
    time: float | None,
    seed: int,
    output: str,
    levels: int,
    force: bool,
    results: str,
    as_json: bool,
) -> None:
    """Write the two files, then print a summary or JSON."""
    from mmrl.kernels.jit import must_compile
    from mmrl.tape.lobster import LobsterFiles, check_price
    from mmrl.tape.stream import taped
    from mmrl.tape.summary import Summary

    if (events is None) == (time is None):
        raise ConfigError("say how long the tape is: either --events N or --time T")
    if time is not None and not 0 < time <= LONGEST:
        raise ConfigError(f"--time = {time:g} is not allowed: it must be > 0 and <= {LONGEST:g}")
    if events is not None:
        rows = float(min(events, 10**300)) * (MESSAGE + LEVEL * levels)
        require_disk(rows, Path(output).parent if output else Path(), f"lower --events = {events}")
    config, name, quoter = _traders(market, preset, assignments, agent, run, epoch or "best", stochastic, results)
    require_trajectory(config)
    tape, spec = market_of(config).tape, spec_of(config)
    assert tape is not None
    check_price("market.midprice", getattr(config.market, "midprice", 0.0))
    summary, tick = Summary(levels), tape.tick(config.market)
    with _terminable(), LobsterFiles(_prefix(output, spec.name), levels, tick, spec.time_unit, force) as files:
        pieces = taped(config, quoter, seed, levels, events, math.inf if time is None else time)
        with compiling(note) if any(map(must_compile, tape.kernels(quoter is not None))) else nullcontext():
            first = list(islice(pieces, 1))
        for piece in chain(first, pieces):
            files.write(piece)
            summary.add(piece)
    for path in files.paths:
        say(f"wrote {path}", sys.stderr)
    about = {"market": spec.name, "agent": name, "seed": seed, "time_unit": spec.time_unit, "tick": tick}
    found = {**about, "files": [str(path) for path in files.paths], **summary.figures()}
    if as_json:
        print(json.dumps(found, allow_nan=False))
    else:
        print("\n".join(report(found, room())))


def _traders(
    market: str | None,
    preset: str | None,
    assignments: list[str],
    agent: str,
    run: str | None,
    epoch: str,
    stochastic: bool | None,
    results: str,
) -> tuple[Config, str, Any]:
    """The market, and who trades in it beside its other traders: a name and a quoter, None for nobody."""
    from mmrl.evaluate import compare
    from mmrl.runs.config_file import read_config
    from mmrl.runs.listing import find_run
    from mmrl.tape.stream import refuse_without_tape

    if run is not None and agent != NOBODY:
        raise ConfigError(f"--agent {agent} and --run {run}: one maker trades, drop one of them")
    if preset is not None and preset not in presets():
        raise ConfigError(f"unknown preset '{preset}': there are {', '.join(presets())}")
    folder = None if run is None else Path(find_run(run, results).folder)
    own = [] if folder is None else [read_config(folder).config]
    names = [] if folder is None else [folder.name]
    config = playing_field(own, names, preset or market, assignments)
    if preset is not None and market not in (None, preset, config.market.name):
        raise ConfigError(f"--market {market} contradicts --preset {preset}, which is of market {config.market.name}")
    refuse_without_tape(config.market.name)
    if folder is not None:
        entrant = compare.run_agent(folder, own[0], config, stochastic, epoch)
        return entrant.config, entrant.name, entrant.quoter
    if agent != NOBODY:
        entrant = compare.named_agent(agent, config)
        return entrant.config, agent, entrant.quoter
    for key in set_values(assignments):
        spec = field(new_key(key) or key)
        if key.startswith("reward."):
            raise ConfigError(f"--set {key}: nobody is rewarded: name a maker with --agent or --run")
        if spec.part == "maker" or (spec.part == "shape" and key != NAME):
            raise ConfigError(f"--set {key}: no maker trades: name one with --agent or --run")
    return config, NOBODY, None


def _prefix(output: str, market: str) -> str:
    """Where the files go and how their names begin: inside a folder they are called after the market."""
    return str(Path(output) / market) if output.endswith("/") or Path(output).is_dir() else output


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the command as an interrupt does, so that nothing unfinished stays behind."""

    def stop(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    wanted = [number for number in ASKED if number != signal.SIGINT and signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def report(found: dict[str, Any], width: int) -> Iterator[str]:
    """A few lines for readers, then what happened on each side of the book, and how the book stood."""
    unit, spread, mid = found["time_unit"], found["spread"], found["mid"]
    maker = "" if found["agent"] == NOBODY else f" with {found['agent']}"
    length = f"{found['messages']:,} messages, {found['events']:,} events in {compact(found['elapsed'])} {unit}"
    up = "-" if mid["up"] is None else f"{100 * mid['up']:.1f} %"
    yield from wrapped(f"{found['market']}{maker}, seed {found['seed']}", width)
    yield from wrapped(f"{length}, one every {_number(found['duration_mean'])} {unit}", width)
    yield from wrapped(f"mid: {_number(mid['rate'])} moves per {unit}, {up} of them up", width)
    sides = [(f"{what.replace('_', ' ')}, {side}", found[what][side]) for what in FLOWS for side in ("bid", "ask")]
    near = list(dict.fromkeys(ticks for _, row in sides for ticks in list(row.get("by_distance", {}))[:SHOWN]))
    near.sort(key=int)
    rows = [
        (
            name,
            _number(row["rate"]),
            _number(row["mean_shares"]),
            *(_number(row.get("by_distance", {}).get(ticks)) for ticks in near),
        )
        for name, row in sides
    ]
    heads = [Column(f"per {unit}"), Column("shares each"), *(Column(ticks) for ticks in near)]
    yield ""
    yield from wrapped(f"orders; by their distance from the opposite best, in ticks, per {unit}", width)
    yield from table([Column("orders", "label"), *heads], rows, width)
    share = list(spread["share_of_time"].items())[:SHOWN]
    yield ""
    yield from wrapped(f"spread: mean {_number(spread['mean'])} ticks; % of the time that it has so many ticks", width)
    cells = ["% of time", *(f"{100 * part:.1f}" for _, part in share)]
    yield from table([Column("ticks", "label"), *(Column(ticks) for ticks, _ in share)], [cells], width)
    levels = range(min(len(found["depth"]["bid"]), SHOWN))
    yield ""
    yield "depth: mean shares by level"
    yield from table(
        [Column("level", "label"), *(Column(str(k + 1)) for k in levels)],
        [(side, *(_number(found["depth"][side][k]) for k in levels)) for side in ("bid", "ask")],
        width,
    )


def _number(value: float | None) -> str:
    return compact(value, 3)
