"""What `mmrl runs` does: lists and shows runs, steers one that trains, renames, promotes or trashes one that rests."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.plots.numbers import amount, percent
from mmrl.runs import control, store
from mmrl.runs.lock import is_locked
from mmrl.settings.declare import ConfigError
from mmrl.settings.sources import set_values
from mmrl.settings.upgrade import current

COLUMNS = ("name", "state", "epoch", "market", "algorithm", "value", "optimality", "steps/s", "updated")
WANTED = {"pause": "pause", "resume": "run", "stop": "stop"}


def as_row(info: store.RunInfo) -> dict[str, Any]:
    """What is known of a run, fit for JSON: paths as text, non-finite numbers as null."""
    return {key: _plain(value) for key, value in vars(info).items()}


def list_runs(results: str, as_json: bool) -> None:
    """Print the runs of a folder as a table, or as one JSON array."""
    runs = store.find_runs(results)
    if as_json:
        print(json.dumps([as_row(info) for info in runs]))
        return
    if not runs:
        print(f"no runs in {results}: start one with mmrl train --preset quickstart")
        return
    rows = [COLUMNS, *(_cells(as_row(info)) for info in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show(run: str, results: str, as_json: bool) -> None:
    """Print all that is known of one run, one line a fact."""
    row = as_row(store.find_run(run, results))
    if as_json:
        print(json.dumps(row))
        return
    for key, value in row.items():
        if value is not None and value != "":
            print(f"{key:<18}{_time(value) if key in ('started', 'updated') else value}")


def steer(run: str, results: str, action: str, as_json: bool) -> None:
    """Ask the process that trains a run to pause, resume or stop at the end of its epoch."""
    info = store.find_run(run, results)
    if not is_locked(Path(info.folder)):
        hint = f"go on with it by mmrl train --load {info.name}" if action == "resume" else "nothing to do"
        raise ConfigError(f"run {info.name} is not being trained (it is {info.state}): {hint}")
    control.request(Path(info.folder), WANTED[action])
    _say(as_json, f"asked {info.name} to {action}", run=info.name, wanted=WANTED[action])


def change(run: str, pairs: Sequence[str], results: str, as_json: bool) -> None:
    """Ask the process that trains a run for other values of what can be changed while it trains."""
    info = store.find_run(run, results)
    names = {key: name for name, key in control.LIVE.items()}
    values = {}
    for key, value in current(set_values(pairs), info.market).items():
        if key not in names:
            raise ConfigError(f"{key} cannot be changed while training: what can is {', '.join(names)}")
        values[names[key]] = control.checked(names[key], value)
    if not is_locked(Path(info.folder)):
        hint = f"mmrl train --load {info.name} takes them as options"
        raise ConfigError(f"run {info.name} is not being trained (it is {info.state}): {hint}")
    if values.get("ne", info.epoch + 1) <= info.epoch:
        raise ConfigError(f"training.ne = {values['ne']}: epoch {info.epoch} is reached already")
    control.request(Path(info.folder), control.read_control(Path(info.folder))["want"], **values)
    said = ", ".join(f"{control.LABELS[name]} {value}" for name, value in values.items())
    _say(as_json, f"asked {info.name} for {said} from the next epoch on", run=info.name, set=values)


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
    """Move a run to the trash folder, from which it can be taken back by hand."""
    info = store.find_run(run, results)
    folder = store.trash(Path(info.folder))
    _say(as_json, f"moved {info.name} to {folder}", run=info.name, folder=str(folder))


def _say(as_json: bool, text: str, **facts: Any) -> None:
    print(json.dumps(facts) if as_json else text)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    value, half, speed = row.get("value_mean"), row.get("value_half"), row.get("steps_per_second")
    shown = "" if value is None else amount(value, half)
    return (
        str(row["name"]),
        str(row["state"]),
        f"{row['epoch']}/{row['target']}",
        str(row["market"] or ""),
        str(row["algorithm"] or ""),
        shown,
        "" if row.get("optimality") is None else percent(row["optimality"]),
        "" if speed is None else f"{speed:,.0f}",
        _time(row["updated"]),
    )


def _time(moment: Any) -> str:
    if isinstance(moment, int | float):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
    return str(moment or "")
