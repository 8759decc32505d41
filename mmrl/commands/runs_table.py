"""The table of runs that `mmrl runs list` prints: it needs neither numpy nor the classes of the settings."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmrl.plots.numbers import amount, percent, several
from mmrl.plots.table import Column, room, table
from mmrl.plots.text import duration, printable
from mmrl.runs import goals, groups
from mmrl.runs.following import command
from mmrl.runs.listing import RunInfo, find_runs
from mmrl.runs.status import word
from mmrl.settings.errors import ConfigError, suggestion

COLUMNS: dict[str, tuple[Column, Callable[[RunInfo], str]]] = {
    "name": (Column("name", "label"), lambda r: r.name),
    "state": (Column("state", "text"), lambda r: word(r.state)),
    "epoch": (Column("epoch"), lambda r: f"{r.epoch}/{r.target}"),
    "value": (Column("value"), lambda r: "" if r.value_mean is None else amount(r.value_mean, r.value_half)),
    "optimality": (Column("optimality"), lambda r: percent(r.optimality)),
    "market": (Column("market", "label"), lambda r: r.market),
    "lr": (Column("lr"), lambda r: "" if r.lr is None else f"{r.lr:g}"),
    "seed": (Column("seed"), lambda r: "" if r.seed is None else str(r.seed)),
    "speed": (Column("steps/s"), lambda r: "" if r.steps_per_second is None else f"{r.steps_per_second:,.0f}"),
    "updated": (Column("updated"), lambda r: ago(r.updated)),
    "algorithm": (Column("algorithm", "label"), lambda r: r.algorithm),
    "started": (Column("started"), lambda r: moment(r.started)),
    "data": (Column("market fitted to", "label"), lambda r: r.market_from),
    "id": (Column("id", "label"), lambda r: r.id),
    "folder": (Column("folder", "label"), lambda r: r.folder),
}
"""Of the list of runs; any setting can be one too."""
INNER = "  "
"""Before the name of a run of a group that is unfolded."""
USUAL = ("name", "state", "epoch", "value", "optimality", "market", "lr", "seed", "speed", "updated")


def as_row(info: RunInfo) -> dict[str, Any]:
    """What is known of a run and its objective, fit for JSON: paths as text, non-finite numbers as null."""
    objective, reached = goals.objective_of(info)
    facts = {**vars(info), "objective": objective, "objective_value": reached}
    return {key: _plain(value) for key, value in facts.items()}


def list_runs(results: str, as_json: bool, columns: str | None = None, unfold: bool = False) -> None:
    """Print the runs of a folder as a table, a group as one row unless they are to `unfold`, or as one JSON array."""
    chosen = _chosen(columns)
    runs = find_runs(results)
    if as_json:
        print(json.dumps([as_row(info) for info in runs]))
    elif not runs:
        begin = command(["train", "--preset", "quickstart"], Path(results))
        print(printable(f"no runs in {results}: start one with {begin}"))
    else:
        print("\n".join(listed(runs, chosen, room(), unfold)))


def listed(runs: Sequence[RunInfo], chosen: Sequence[str], width: int, unfold: bool = False) -> list[str]:
    """The table of some runs; of a group one row, and with `unfold` its runs below it."""
    heads = [COLUMNS[name][0] if name in COLUMNS else Column(name, "label") for name in chosen]
    rows: list[list[str]] = []
    for row in groups.folded(runs):
        if row[0].group:
            rows.append([_of_group(row, name) for name in chosen])
        if unfold or not row[0].group:
            cells = [[COLUMNS[n][1](info) if n in COLUMNS else _setting(info, n) for n in chosen] for info in row]
            rows += [[INNER + first, *rest] if row[0].group else [first, *rest] for first, *rest in cells]
    return table(heads, rows, width)


def _of_group(infos: Sequence[RunInfo], name: str) -> str:
    """The cell of a group: a mean over its runs ± half of its 95 % interval, or what they have in common."""
    best = groups.ranked(infos)[0] if groups.is_sweep(infos) else None
    if name == "name":
        held = f"{several(len(infos), 'trial')}, best {best.name}" if best else several(len(infos), "run")
        return f"{infos[0].group} ({held})"
    if name == "state":
        return groups.states_of(infos)
    if name == "epoch":
        first, last = min(i.epoch for i in infos), max(i.epoch for i in infos)
        return f"{first if first == last else f'{first}-{last}'}/{max(i.target for i in infos)}"
    if name in ("value", "optimality") and best is not None:
        return f"best {COLUMNS[name][1](best)}" if COLUMNS[name][1](best) not in ("", "-") else ""
    if name == "value":
        mean, half = groups.mean_of(infos, "value_mean")
        return "" if math.isnan(mean) else amount(mean, half)
    if name == "optimality":
        mean, half = groups.mean_of(infos, "optimality")
        return percent(mean) + ("" if math.isnan(half) else f" ± {percent(half)}")
    if name == "seed":
        return groups.ranges([info.seed for info in infos if info.seed is not None])
    if name == "speed":
        speed = sum(info.steps_per_second or 0 for info in infos if info.state == "running")
        return f"{speed:,.0f}" if speed else ""
    if name == "updated":
        return ago(max((info.updated for info in infos if info.updated), default=None))
    if name == "started":
        return moment(min((info.started for info in infos if info.started), default=None))
    cells = {COLUMNS[name][1](info) if name in COLUMNS else _setting(info, name) for info in infos}
    return cells.pop() if len(cells) == 1 else ""


def _chosen(columns: str | None) -> tuple[str, ...]:
    """Names of the columns of a list: those given, or the usual ones and after a plus sign some more."""
    if columns is None:
        return USUAL
    names = [name.strip() for name in columns.removeprefix("+").split(",") if name.strip()]
    for name in names:
        if name not in COLUMNS:
            from mmrl.settings.fields import field

            try:
                field(name)
            except ConfigError:
                raise ConfigError(
                    f"--columns {name}: there are {', '.join(COLUMNS)}, and all settings{suggestion(name, COLUMNS)}"
                ) from None
    return tuple(dict.fromkeys([*(USUAL if columns.startswith("+") else ("name",)), *names]))


def _setting(info: RunInfo, name: str) -> str:
    """The value of a setting of a run; empty where its market does not have it."""
    from mmrl.runs.config_file import read_config
    from mmrl.settings.fields import field, shown, values_of

    try:
        config = read_config(Path(info.folder)).config
        spec = field(name, config.market.name)
    except (ValueError, OSError):
        return ""
    values = values_of(config)
    return shown(values[spec.key]) if spec.key in values else ""


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def moment(when: float | None) -> str:
    """A unix time as date and time of day; empty where it is unknown."""
    return "" if when is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def ago(when: float | None) -> str:
    """How long ago a unix time was."""
    return "" if when is None else f"{duration(time.time() - when)} ago"
