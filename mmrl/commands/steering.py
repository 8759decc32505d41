"""What `mmrl runs` does to runs: steer a running one, rename, promote or trash a resting one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.runs import control, store
from mmrl.runs.lock import is_locked
from mmrl.settings.model import ConfigError
from mmrl.settings.sources import set_values

WANTED = {"pause": "pause", "resume": "run", "stop": "stop"}


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
    for key, value in set_values(pairs).items():
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
    from mmrl.runs.promote import promote as promoted

    info = store.find_run(run, results)
    folder = promoted(Path(info.folder))
    _say(as_json, f"promoted {info.name} to {folder}", run=info.name, folder=str(folder))


def trash(run: str, results: str, as_json: bool) -> None:
    """Move a run to the trash folder, from which it can be taken back by hand."""
    info = store.find_run(run, results)
    folder = store.trash(Path(info.folder))
    _say(as_json, f"moved {info.name} to {folder}", run=info.name, folder=str(folder))


def _say(as_json: bool, text: str, **facts: Any) -> None:
    print(json.dumps(facts) if as_json else text)
