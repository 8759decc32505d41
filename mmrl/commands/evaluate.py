"""`mmrl evaluate`: who plays where, and how the result is shown."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmrl.markets.contract import spec_of
from mmrl.plots.numbers import HALF, amount, percent
from mmrl.plots.table import Column, room, table
from mmrl.plots.text import printable, wrapped
from mmrl.runs.memory import require_trajectory
from mmrl.settings.errors import ConfigError, note
from mmrl.settings.fields import NAME, field, fields
from mmrl.settings.model import Config
from mmrl.settings.sources import presets, refuse_without_effect, replaced, resolve, set_values
from mmrl.settings.upgrade import current, new_key
from mmrl.settings.variables import note_unused
from mmrl.training.compiling import compile_first


def evaluate(
    runs: Sequence[str],
    agents: Sequence[str],
    market: str | None,
    assignments: Sequence[str],
    trajectories: int,
    seed: int,
    results: str,
    as_json: bool,
    stochastic: bool | None = None,
    max_inventory: int | None = None,
    quotes: bool = False,
    save: str | None = None,
    epoch: str = "best",
) -> None:
    """Play, then print a table, JSON, or the quotes."""
    from mmrl.agents import check, is_file
    from mmrl.evaluate import compare, surface

    if save is not None:
        surface.check_name(save)
    folders, own, members = _stored(runs, results)
    config = playing_field(own, [folder.name for folder in folders], market, assignments)
    if not folders and not agents:
        agents = spec_of(config).usual_agents
    for folder, stored in zip(folders, own, strict=True):
        compare.refuse_other_market(folder, stored, config)
    for name in agents:
        check(name, config)
    if max_inventory is not None and not spec_of(config).exact_optimum and not spec_of(config).exact_states:
        raise ConfigError(f"--max-inventory has no effect: market {config.market.name} has no exact values: drop it")
    require_trajectory(config)
    files = [is_file(name) for name in agents]
    compile_first(config, note, learned=bool(folders) or any(files), classical=not all(files))
    if quotes or save is not None:
        stochastic = bool(stochastic)  # only means can be drawn
    entrants = [
        compare.run_agent(folder, stored, config, stochastic, epoch)
        for folder, stored in zip(folders, own, strict=True)
    ]
    entrants += [compare.named_agent(name, config) for name in agents]
    if quotes or save is not None:
        if as_json:
            print(json.dumps(curves(*surface.curves(entrants)), allow_nan=False))
        else:
            surface.show(entrants, save)
        return
    result = compare.compare(entrants, config, trajectories, seed, max_inventory)
    origins = {folder.name: _origin(folder) for folder in folders if _origin(folder)}
    if origins:
        result["fitted_to"] = origins
    if members:
        from mmrl.commands.over_seeds import over_seeds

        result["groups"] = [over_seeds(name, result["rows"][first:last]) for name, first, last in members]
    if as_json:
        print(json.dumps(result, allow_nan=False, default=list))
    else:
        print("\n".join(report(result, room())))


def curves(inventory: Any, panels: Sequence[Any]) -> dict[str, Any]:
    """Quotes over inventory at some shares of the horizon, ready for JSON; null where a side does not quote."""
    return {
        "inventory": inventory.tolist(),
        "panels": [
            {
                "quote": panel.title,
                "unit": panel.unit,
                "time": panel.moment,
                "by": {name: [x if math.isfinite(x) else None for x in y.tolist()] for name, y in panel.lines},
            }
            for panel in panels
        ],
    }


def _stored(runs: Sequence[str], results: str) -> tuple[list[Path], list[Config], list[tuple[str, int, int]]]:
    """Folders and settings of the runs, a group's one by one, and of each group its name and which of them it has."""
    from mmrl.commands.over_seeds import runs_of
    from mmrl.runs.config_file import read_config

    folders: list[Path] = []
    members: list[tuple[str, int, int]] = []
    for name in runs:
        found, grouped = runs_of(name, results)
        if grouped:
            members.append((name, len(folders), len(folders) + len(found)))
        folders += [Path(info.folder) for info in found]
    return folders, [read_config(folder).config for folder in folders], members


def _origin(folder: Path) -> str:
    """What data the market of a run was fitted to; empty for a market by hand."""
    from mmrl.runs.config_file import read_config
    from mmrl.runs.listing import MARKET_FROM

    return str(read_config(folder).meta.get(MARKET_FROM, ""))


def playing_field(
    own: Sequence[Config],
    names: Sequence[str],
    market: str | None,
    assignments: Sequence[str],
    remedies: tuple[str, str] = ("name one with --market", "here --set changes the market"),
) -> Config:
    """The market and objective of the comparison: that of the runs, or the one that is asked for.

    --market starts from the preset of that name (default settings if there is none); --set changes it. `remedies` say
    how to choose one market for runs of several, and how to change it.
    """
    changes = set_values(assignments)
    alien = next((key for key in changes if key.split(".")[0] not in ("market", "reward")), None)
    if alien:
        raise ConfigError(f"--set {alien}: only market and reward settings matter to an evaluation")
    for key in changes:
        if field(new_key(key) or key).part in ("view", "action", "start"):
            raise ConfigError(
                f"--set {key}: what a run observes, how it acts and where it trained are its own: drop it"
            )
    if market is None and changes.get(NAME) is not None:
        market = str(changes[NAME])
    if market is None and own:
        unlike = [(name, config) for name, config in zip(names, own, strict=True) if _law(config) != _law(own[0])]
        if unlike and not changes:
            name, other = unlike[0]
            what = _differing(_law(own[0]), _law(other))
            raise ConfigError(f"runs {names[0]} and {name} were trained on different markets, {what}: {remedies[0]}")
        base = own[0]
    else:
        base, _ = resolve(
            {} if market is None or market in presets() else {NAME: market},
            None,
            market if market in presets() else None,
            {},
        )
    if changes:
        changes = current(changes, str(changes.get(NAME, base.market.name)))
        base = replaced(base, changes)
        refuse_without_effect(base, dict.fromkeys(changes, "flag"))
    why = f"variables are for mmrl train: {remedies[1]}"
    note_unused(os.environ, base, changes, why, ("market", "reward"))
    return _without(base, "start")


def _without(config: Config, *parts: str) -> Config:
    """The config with all of its market's settings of some parts at their defaults."""
    defaults = {spec.name: spec.default for spec in fields(config.market.name) if spec.part in parts}
    return config.model_copy(update={"market": config.market.model_copy(update=defaults)})


def _law(config: Config) -> Any:
    """The market without what is only seen of it, what actions mean, and where training starts."""
    return _without(config, "view", "action", "start").market


MOST_NAMED = 3
"""Settings in which two markets differ that a message names."""


def _differing(market: Any, other: Any) -> str:
    """Which settings two markets differ in."""
    if market.name != other.name:
        return f"{market.name} and {other.name}"
    unlike = [key for key in type(market).model_fields if getattr(market, key) != getattr(other, key)]
    shown = [f"{key} = {getattr(market, key)!r} and {getattr(other, key)!r}" for key in unlike[:MOST_NAMED]]
    more = len(unlike) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def report(result: dict[str, Any], width: int) -> Iterator[str]:
    """What was compared, then two tables, one row an agent: what it earns, and at what risk."""
    settings = " ".join(f"{key}={_short(value)}" for key, value in result["parameters"].items())
    yield from wrapped(f"{result['market']}: {settings}", width, "  ")
    for run, origin in result.get("fitted_to", {}).items():
        yield from wrapped(printable(f"market of {run}: fitted to {origin}"), width, "  ")
    yield f"{result['trajectories']:,} trajectories, evaluation seed {result['seed']}"
    if result["optimum_ce"] is not None:
        yield f"exact optimum: {amount(result['optimum_ce'], digits=6)}"
    for k, arrival in dict.fromkeys(row["fill_curve"] for row in result["rows"] if row["fill_curve"]):
        yield f"closed forms: fills at rate {arrival:.4g} exp(-{k:.4g} d) at distance d"
    for row in result["rows"]:
        if row["rule"]:
            rules = ", ".join(f"{axis} {_linear(*rule)}" for axis, rule in row["rule"].items())
            yield from wrapped(f"{row['agent']}: {rules}", width, "  ")
    who = [Column("agent", "label"), Column("epoch"), Column("plays", "label")]
    tables: tuple[tuple[str, list[tuple[str, Any]]], ...] = (
        (
            f"outcome ({HALF})",
            [
                ("value", lambda r: _number(r["value_mean"], r["value_ci"])),
                ("value - first", lambda r: _number(r["difference"], r["difference_ci"])),
                ("optimality", lambda r: percent(r["optimality"])),
                ("exact CE", lambda r: _number(r["exact_ce"])),
                ("CE", lambda r: _number(r["ce"], r["ce_ci"])),
                ("std", lambda r: _number(r["value_std"])),
                ("spread", lambda r: _number(r["spread_mean"])),
                ("fills", lambda r: _number(r["fills_mean"])),
                ("final q", lambda r: _number(r["inventory_mean"])),
                ("std q", lambda r: _number(r["inventory_std"])),
            ],
        ),
        (
            "risk and where the profit comes from",
            [
                ("1 % quantile", lambda r: _number(r["quantile_01"])),
                ("CVaR 1 %", lambda r: _number(r["cvar_01"])),
                ("Sharpe", lambda r: _number(r["sharpe"])),
                ("drawdown", lambda r: _number(r["max_drawdown"])),
                ("mean |q|", lambda r: _number(r["inventory_abs_mean"])),
                ("PnL spread", lambda r: _number(r["pnl_spread"])),
                *((label, lambda r, key=key: _number(r[key])) for key, label in result["split"].items()),
                ("PnL inventory", lambda r: _number(r["pnl_inventory"])),
            ],
        ),
    )
    for title, columns in tables:
        rows = [
            (
                row["agent"],
                "" if row["epoch"] is None else str(row["epoch"]),
                row["actions"] or "",
                *(cell(row) for _, cell in columns),
            )
            for row in result["rows"]
        ]
        yield ""
        yield from table([*who, *(Column(name) for name, _ in columns)], rows, width, title)
    if result.get("groups"):
        from mmrl.commands.over_seeds import lines_of

        yield ""
        yield from lines_of(result["groups"], width)


def _number(value: float | str | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return amount(value, None if interval is None else (interval[1] - interval[0]) / 2)


def _linear(constant: float, per_share: float, per_time: float) -> str:
    """A rule in the inventory q and the share of time that is left."""
    slopes = ((per_share, " q"), (per_time, " left"))
    return f"{constant:.3g}" + "".join(f" {'-' if b < 0 else '+'} {abs(b):.3g}{of}" for b, of in slopes if b)


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_short(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
