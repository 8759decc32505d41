"""What `mmrl runs` does: lists and shows runs, steers one that trains, renames, promotes or trashes one that rests."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmrl.plots.numbers import amount, percent
from mmrl.plots.table import Column, room, table
from mmrl.plots.text import duration, printable, wrapped
from mmrl.runs import control, goals, groups, store
from mmrl.runs import trash as trashcan
from mmrl.runs.atomic import open_plain
from mmrl.runs.following import command
from mmrl.runs.lock import is_locked
from mmrl.runs.status import word
from mmrl.settings.declare import ConfigError, suggestion
from mmrl.settings.fields import field, shown, values_of
from mmrl.settings.sources import set_values
from mmrl.settings.upgrade import current

LOG = "log.txt"
WANTED = {"pause": "pause", "resume": "run", "stop": "stop"}
COLUMNS: dict[str, tuple[Column, Callable[[store.RunInfo], str]]] = {
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


def as_row(info: store.RunInfo) -> dict[str, Any]:
    """What is known of a run and its objective, fit for JSON: paths as text, non-finite numbers as null."""
    objective, reached = goals.objective_of(info)
    facts = {**vars(info), "objective": objective, "objective_value": reached}
    return {key: _plain(value) for key, value in facts.items()}


def list_runs(results: str, as_json: bool, columns: str | None = None, unfold: bool = False) -> None:
    """Print the runs of a folder as a table, a group as one row unless they are to `unfold`, or as one JSON array."""
    chosen = _chosen(columns)
    runs = store.find_runs(results)
    if as_json:
        print(json.dumps([as_row(info) for info in runs]))
    elif not runs:
        print(f"no runs in {results}: start one with {command(['train', '--preset', 'quickstart'], Path(results))}")
    else:
        print("\n".join(listed(runs, chosen, room(), unfold)))


def listed(runs: Sequence[store.RunInfo], chosen: Sequence[str], width: int, unfold: bool = False) -> list[str]:
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


def _of_group(infos: Sequence[store.RunInfo], name: str) -> str:
    """The cell of a group: a mean over its runs ± half of its 95 % interval, or what they have in common."""
    best = groups.ranked(infos)[0] if groups.is_sweep(infos) else None
    if name == "name":
        return f"{infos[0].group} ({len(infos)} {f'trials, best {best.name}' if best else 'runs'})"
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
            try:
                field(name)
            except ConfigError:
                raise ConfigError(
                    f"--columns {name}: there are {', '.join(COLUMNS)}, and all settings{suggestion(name, COLUMNS)}"
                ) from None
    return tuple(dict.fromkeys([*(USUAL if columns.startswith("+") else ("name",)), *names]))


def _setting(info: store.RunInfo, name: str) -> str:
    """The value of a setting of a run; empty where its market does not have it."""
    try:
        config = store.read_config(Path(info.folder)).config
        spec = field(name, config.market.name)
    except (ValueError, OSError):
        return ""
    values = values_of(config)
    return shown(values[spec.key]) if spec.key in values else ""


def steer(run: str, results: str, action: str, as_json: bool) -> None:
    """Ask the process that trains a run, or each of those of a group, to pause, resume or stop after its epoch."""
    infos = _named(run, results)
    if infos[0].group == run and action == "stop" and groups.is_sweep(infos):
        raise ConfigError(f"{run} is a sweep: Ctrl-C stops each of its workers, mmrl runs stop one of its trials")
    again = command(["train", "--load", infos[0].name], Path(results))
    infos = _training(run, infos, f"go on with it by {again}" if action == "resume" else "nothing to do")
    for info in infos:
        control.request(Path(info.folder), WANTED[action])
    _asked(as_json, run, infos, f"to {action}", wanted=WANTED[action])


def change(run: str, pairs: Sequence[str], results: str, as_json: bool) -> None:
    """Ask the process that trains a run, or each of those of a group, for other values of what can change meanwhile."""
    infos = _named(run, results)
    names = {key: name for name, key in control.LIVE.items()}
    values = {}
    for key, value in current(set_values(pairs), infos[0].market).items():
        if key not in names:
            raise ConfigError(f"{key} cannot be changed while training: what can is {', '.join(names)}")
        values[names[key]] = control.checked(names[key], value)
    infos = _training(run, infos, f"{command(['train', '--load', infos[0].name], Path(results))} takes them as options")
    for info in infos:
        if values.get("ne", info.epoch + 1) <= info.epoch:
            raise ConfigError(f"training.ne = {values['ne']}: epoch {info.epoch} of {info.name} is reached already")
    for info in infos:
        control.request(Path(info.folder), control.read_control(Path(info.folder))["want"], **values)
    said = ", ".join(f"{control.LABELS[name]} {value}" for name, value in values.items())
    _asked(as_json, run, infos, f"for {said} from the next epoch on", set=values)


def _named(run: str, results: str) -> list[store.RunInfo]:
    """The runs of the group of this name, or the one run."""
    return groups.members(run, results) or [store.find_run(run, results)]


def _training(run: str, infos: Sequence[store.RunInfo], hint: str) -> list[store.RunInfo]:
    """Those of the runs that are being trained. Raises ConfigError, with a hint, where none is."""
    found = [info for info in infos if is_locked(Path(info.folder))]
    if not found and infos[0].group == run:
        raise ConfigError(f"no run of the group {run} is being trained ({groups.states_of(infos)})")
    if not found:
        raise ConfigError(f"run {infos[0].name} is not being trained (it is {word(infos[0].state)}): {hint}")
    return found


def _asked(as_json: bool, run: str, infos: Sequence[store.RunInfo], what: str, **facts: Any) -> None:
    if infos[0].group == run:
        text = f"asked {len(infos)} runs of {run} {what}"
        _say(as_json, text, group=run, runs=[info.name for info in infos], **facts)
    else:
        _say(as_json, f"asked {infos[0].name} {what}", run=infos[0].name, **facts)


def rename(run: str, new_name: str, results: str, as_json: bool) -> None:
    """Give a run's folder another name."""
    info = store.find_run(run, results)
    folder = store.rename(Path(info.folder), new_name)
    _say(as_json, f"renamed {info.name} to {folder.name}", run=folder.name, was=info.name, folder=str(folder))


def promote(run: str, results: str, as_json: bool) -> None:
    """Copy a run into good-results, next to the results folder."""
    from mmrl.runs.promote import promote as copy_into_good_results  # loads numpy, which a list of runs need not

    info = store.find_run(run, results)
    folder = copy_into_good_results(Path(info.folder))
    _say(as_json, f"promoted {info.name} to {folder}", run=info.name, folder=str(folder))


def trash(run: str, results: str, as_json: bool) -> None:
    """Move a run to the trash folder, from which `restore` takes it back."""
    info = store.find_run(run, results)
    folder = store.trash(Path(info.folder))
    back = command(["runs", "restore", info.name], Path(info.folder).parent)
    _say(as_json, f"moved {info.name} to {folder}; back: {back}", run=info.name, folder=str(folder))


def restore(run: str | None, results: str, as_json: bool) -> None:
    """Take a run back from the trash folder; without a name say which there are."""
    if run is not None:
        folder = trashcan.restore(run, results)
        _say(as_json, f"restored {folder.name} to {folder}", run=folder.name, folder=str(folder))
        return
    there = trashcan.trashed(results)
    if as_json:
        print(json.dumps({name: str(folder) for name, folder in there.items()}))
    else:
        print("\n".join(there) or f"no runs in {Path(results) / store.TRASH}")


def log(run: str, results: str, follow: bool) -> None:
    """Print what a detached training has said, and with `follow` what it says until it ends."""
    info = store.find_run(run, results)
    path = Path(info.folder) / LOG
    try:
        file = os.fdopen(open_plain(path), encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ConfigError(f"run {info.name} has no {LOG}: only a training in the background writes one") from None
    with file, suppress(KeyboardInterrupt):
        while True:
            training = follow and is_locked(path.parent)
            for line in file:
                sys.stdout.write("".join(letter if letter.isprintable() or letter == "\n" else " " for letter in line))
            sys.stdout.flush()
            if not training:
                return
            time.sleep(0.2)


def doctor(run: str | None, results: str, as_json: bool) -> int:
    """Examine one run or all runs of a folder and print what is found; returns 1 if damage remains, else 0."""
    from mmrl.runs.doctor import examine

    infos = [store.find_run(run, results)] if run else store.find_runs(results)
    found = {info.name: examine(Path(info.folder)) for info in infos}
    if as_json:
        rows = [{"run": name, "findings": [vars(one) for one in findings]} for name, findings in found.items()]
        print(json.dumps(rows))
    elif not found:
        print(f"no runs in {results}")
    for name, findings in {} if as_json else found.items():
        print(f"{name}: {'intact' if not findings else ''}".rstrip())
        for one in findings:
            print("\n".join(wrapped(printable(f"{one.kind} {one.file}: {one.text}"), room(), "    ", "  ")))
    return int(any(one.kind == "damaged" for findings in found.values() for one in findings))


def _say(as_json: bool, text: str, **facts: Any) -> None:
    print(json.dumps(facts) if as_json else text)


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
