"""What is wrong with a run, and the repairs that lose nothing: no file is ever deleted, what is replaced is kept."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.runs import manifest as manifests
from mmrl.runs import store
from mmrl.runs.atomic import FOLDERS, BrokenRun, durable_write, read_plain, refuse_links
from mmrl.runs.checksum import unseal
from mmrl.runs.episodes import episode_epochs, read_episode
from mmrl.runs.history import METRICS_LIMIT, matches
from mmrl.runs.lock import RunBusy, RunLock
from mmrl.runs.status import STATES, UNFINISHED, write_status


@dataclass(frozen=True)
class Finding:
    """One thing found: `kind` is damaged, repaired or note."""

    kind: str
    file: str
    text: str


def examine(folder: Path) -> list[Finding]:
    """All that is wrong with a run, nothing if it is sound; repairs what it can unless a process trains the run."""
    found: list[Finding] = []
    try:
        refuse_links(folder)
    except BrokenRun as error:
        return [Finding("damaged", folder.name, str(error))]
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(RunLock(folder))
            free = True
        except (RunBusy, OSError) as error:
            found.append(Finding("note", "lock", f"only looked at, nothing repaired: {error}"))
            free = False
        try:
            target = store.read_config(folder).config.training.ne
        except (ValueError, OSError) as error:
            found.append(Finding("damaged", "config.toml", str(error)))
            target = 0
        entries = _manifest(folder, free, found)
        sound = _checkpoints(folder, entries, found)
        _metrics(folder, entries, free, found)
        for epoch in episode_epochs(folder):
            try:
                read_episode(folder, epoch)
            except (BrokenRun, OSError) as error:
                found.append(Finding("damaged", f"episodes/{epoch:06d}.npz", str(error)))
        _status(folder, free, bool(target) and sound >= target, found)
        if free:
            for place in (folder, *(folder / name for name in FOLDERS)):
                for path in sorted(place.glob(".*.tmp")):
                    found.append(
                        Finding("note", path.name, "left by a process that was killed; training on removes it")
                    )
    return found


def _aside(folder: Path, name: str) -> str:
    """Keep a copy of a file that is about to be repaired; returns the copy's name."""
    kept = f"{name}.damaged-{time.time_ns()}"
    durable_write(folder / kept, read_plain(folder / name, METRICS_LIMIT))
    return kept


def _manifest(folder: Path, free: bool, found: list[Finding]) -> list[dict[str, Any]]:
    try:
        body, faults = manifests.sound_manifest(folder)
    except (BrokenRun, OSError) as error:
        found.append(Finding("damaged", manifests.CURRENT, str(error)))
        return []
    for fault in faults:
        if not free:
            found.append(Finding("damaged", manifests.CURRENT, fault))
            continue
        kept = ""
        if (folder / manifests.CURRENT).exists():
            kept = f", the damaged one kept as {_aside(folder, manifests.CURRENT)}"
        durable_write(folder / manifests.CURRENT, read_plain(folder / manifests.PREVIOUS))
        found.append(Finding("repaired", manifests.CURRENT, f"{fault}: replaced by the one before it{kept}"))
    try:
        manifests.read_manifest(folder, manifests.PREVIOUS)
    except (BrokenRun, OSError) as error:
        found.append(Finding("note", manifests.PREVIOUS, f"{error}; the next epoch replaces it"))
    noticed = body.get("noticed")
    for text in noticed if isinstance(noticed, list) else []:
        found.append(Finding("note", manifests.CURRENT, f"noticed when the run went on: {text}"))
    return manifests.entries_of(body)


def _checkpoints(folder: Path, entries: list[dict[str, Any]], found: list[Finding]) -> int:
    """The newest epoch whose checkpoint is sound, 0 if there is none."""
    sound = 0
    for entry in entries:
        try:
            manifests.files_of(folder, entry)
            sound = max(sound, entry["epoch"])
        except (ValueError, OSError) as error:
            found.append(Finding("damaged", f"checkpoints/{entry['epoch']:06d}", str(error)))
    if entries and sound != entries[-1]["epoch"]:
        text = f"training on goes back to epoch {sound}" if sound else "no checkpoint is sound: restore the run"
        found.append(Finding("note", "checkpoints", text))
    return sound


def _metrics(folder: Path, entries: list[dict[str, Any]], free: bool, found: list[Finding]) -> None:
    path = folder / store.METRICS
    try:
        data = read_plain(path, METRICS_LIMIT)
    except FileNotFoundError:
        data = b""
    except BrokenRun as error:
        found.append(Finding("damaged", store.METRICS, str(error)))
        return
    whole = data.rfind(b"\n") + 1
    if whole < len(data) and free:
        kept = _aside(folder, store.METRICS)
        os.truncate(path, whole)
        found.append(Finding("repaired", store.METRICS, f"half a row at the end cut off, all kept as {kept}"))
    bad = sum(not _is_row(line) for line in data[:whole].splitlines())
    if bad:
        found.append(Finding("damaged", store.METRICS, f"{bad} rows cannot be read"))
    mark = entries[-1].get("metrics") if entries else None
    if isinstance(mark, dict) and not matches(path, mark):
        text = f"not as it was written up to epoch {entries[-1]['epoch']}: rows may be wrong or missing"
        found.append(Finding("damaged", store.METRICS, text))


def _is_row(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _status(folder: Path, free: bool, finished: bool, found: list[Finding]) -> None:
    try:
        status = unseal(read_plain(folder / "status.json"))
        if status.get("state") not in STATES:
            raise ValueError("its state is none that a run can have")
        if free and status.get("state") in UNFINISHED:  # the lock is ours: nobody trains it
            text = f"its process was killed: go on by mmrl train --load {folder.name}"
            found.append(Finding("note", "status.json", text))
    except FileNotFoundError:
        found.append(Finding("note", "status.json", "the run ended before it began: start it again to go on"))
    except (ValueError, OSError) as error:
        if not free:
            found.append(Finding("damaged", "status.json", str(error)))
            return
        state = "finished" if finished else "interrupted"
        kept = _aside(folder, "status.json")
        write_status(folder, state)
        found.append(Finding("repaired", "status.json", f"{error}: written anew as {state}, the old kept as {kept}"))


def report(run: str | None, results: str, as_json: bool, say: Callable[[str], None] = print) -> int:
    """Examine one run or all of a folder and say what was found; returns 1 if damage remains, else 0."""
    infos = [store.find_run(run, results)] if run else store.find_runs(results)
    rows, damaged = [], False
    for info in infos:
        findings = examine(Path(info.folder))
        damaged = damaged or any(one.kind == "damaged" for one in findings)
        rows.append({"run": info.name, "findings": [vars(one) for one in findings]})
        if not as_json:
            say(f"{info.name}: {'sound' if not findings else ''}".rstrip())
            for one in findings:
                say("".join(c if c.isprintable() else " " for c in f"  {one.kind} {one.file}: {one.text}"))
    if as_json:
        say(json.dumps(rows))
    elif not infos:
        say(f"no runs in {results}")
    return int(damaged)
