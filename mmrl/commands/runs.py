"""What `mmrl runs` does: lists and shows runs, steers one that trains, renames, promotes or trashes one that rests."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmrl.plots.table import room
from mmrl.plots.text import printable, wrapped
from mmrl.runs import control, groups, listing, store
from mmrl.runs import trash as trashcan
from mmrl.runs.atomic import open_plain
from mmrl.runs.following import command
from mmrl.runs.lock import is_locked
from mmrl.runs.status import word
from mmrl.settings.errors import ConfigError
from mmrl.settings.sources import set_values
from mmrl.settings.upgrade import current

LOG = "log.txt"
WANTED = {"pause": "pause", "resume": "run", "stop": "stop"}


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
    if groups.is_sweep(infos):
        what = "the trials of a sweep" if infos[0].group == run else f"a trial of the sweep {infos[0].group}"
        raise ConfigError(f"{run}: {what} must train with what its spec says: write another spec, under another name")
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


def _named(run: str, results: str) -> list[listing.RunInfo]:
    """The runs of the group of this name, or the one run."""
    return groups.members(run, results) or [listing.find_run(run, results)]


def _training(run: str, infos: Sequence[listing.RunInfo], hint: str) -> list[listing.RunInfo]:
    """Those of the runs that are being trained. Raises ConfigError, with a hint, where none is."""
    found = [info for info in infos if is_locked(Path(info.folder))]
    if not found and infos[0].group == run:
        raise ConfigError(f"no run of the group {run} is being trained ({groups.states_of(infos)})")
    if not found:
        raise ConfigError(f"run {infos[0].name} is not being trained (it is {word(infos[0].state)}): {hint}")
    return found


def _asked(as_json: bool, run: str, infos: Sequence[listing.RunInfo], what: str, **facts: Any) -> None:
    if infos[0].group == run:
        text = f"asked {len(infos)} runs of {run} {what}"
        _say(as_json, text, group=run, runs=[info.name for info in infos], **facts)
    else:
        _say(as_json, f"asked {infos[0].name} {what}", run=infos[0].name, **facts)


def rename(run: str, new_name: str, results: str, as_json: bool) -> None:
    """Give a run's folder another name."""
    info = listing.find_run(run, results)
    folder = store.rename(Path(info.folder), new_name)
    _say(as_json, f"renamed {info.name} to {folder.name}", run=folder.name, was=info.name, folder=str(folder))


def promote(run: str, results: str, as_json: bool) -> None:
    """Copy a run into good-results, next to the results folder."""
    from mmrl.runs.promote import promote as copy_into_good_results  # loads numpy, which a list of runs need not

    info = listing.find_run(run, results)
    folder = copy_into_good_results(Path(info.folder))
    _say(as_json, f"promoted {info.name} to {folder}", run=info.name, folder=str(folder))


def trash(run: str, results: str, as_json: bool) -> None:
    """Move a run to the trash folder, from which `restore` takes it back."""
    info = listing.find_run(run, results)
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
    info = listing.find_run(run, results)
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

    infos = [listing.find_run(run, results)] if run else listing.find_runs(results)
    found = {info.name: examine(Path(info.folder)) for info in infos}
    if as_json:
        rows = [{"run": name, "findings": [vars(one) for one in findings]} for name, findings in found.items()]
        print(json.dumps(rows))
    elif not found:
        print(f"no runs in {printable(results)}")
    for name, findings in {} if as_json else found.items():
        print(f"{name}: {'intact' if not findings else ''}".rstrip())
        for one in findings:
            print("\n".join(wrapped(printable(f"{one.kind} {one.file}: {one.text}"), room(), "    ", "  ")))
    return int(any(one.kind == "damaged" for findings in found.values() for one in findings))


def _say(as_json: bool, text: str, **facts: Any) -> None:
    print(json.dumps(facts) if as_json else text)
