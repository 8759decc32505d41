"""Checks a run and repairs it without losing data: no file is deleted, and a copy of each replaced file is kept."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.runs import config_file, listing, slots, store
from mmrl.runs import manifest as manifests
from mmrl.runs.atomic import FOLDERS, BrokenRun, durable_write, read_plain, refuse_links, refused
from mmrl.runs.checksum import verified
from mmrl.runs.episodes import episode_epochs, read_episode
from mmrl.runs.history import METRICS_LIMIT, matches, unreadable
from mmrl.runs.lock import RunBusy, RunLock
from mmrl.runs.status import STATES, UNFINISHED, write_status
from mmrl.settings.errors import ConfigError


@dataclass(frozen=True)
class Finding:
    """One result of a check: `kind` is damaged, repaired or note."""

    kind: str
    file: str
    text: str


def examine(folder: Path) -> list[Finding]:
    """Everything wrong with a run, nothing if it is intact; repairs what it can unless a process trains the run."""
    found: list[Finding] = []
    try:
        refuse_links(folder)
    except BrokenRun as error:
        return [Finding("damaged", folder.name, str(error))]
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(RunLock(folder))
            free = True
        except BrokenRun as error:
            found.append(Finding("damaged", "lock", f"{error}: remove it; checked only, nothing repaired"))
            free = False
        except (RunBusy, OSError) as error:
            why = refused(error) if isinstance(error, OSError) else error
            found.append(Finding("note", "lock", f"checked only, nothing repaired: {why}"))
            free = False
        try:
            target = config_file.read_config(folder).config.training.ne
        except (ValueError, OSError) as error:
            found.append(Finding("damaged", "config.toml", str(error)))
            target = 0
        else:
            try:
                store.check_market(folder)
            except ConfigError as error:
                found.append(Finding("damaged", store.MARKET, str(error)))
        entries = _manifest(folder, free, found)
        if free:
            _slots(folder, entries, found)
        intact = _checkpoints(folder, entries, found)
        _metrics(folder, entries, free, found)
        for epoch in episode_epochs(folder):
            try:
                read_episode(folder, epoch)
            except (BrokenRun, OSError) as error:
                found.append(Finding("damaged", f"episodes/{epoch:06d}.npz", str(error)))
        _status(folder, free, bool(target) and intact >= target, found)
        if free:
            for place in (folder, *(folder / name for name in FOLDERS)):
                for path in sorted(place.glob(".*.tmp")):
                    found.append(
                        Finding("note", path.name, "left by a process that was killed; resuming the run removes it")
                    )
    return found


def _keep_copy(folder: Path, name: str) -> str:
    """Copy a file before it is repaired; returns the name of the copy."""
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
            kept = f", the damaged file is kept as {_keep_copy(folder, manifests.CURRENT)}"
        durable_write(folder / manifests.CURRENT, read_plain(folder / manifests.PREVIOUS))
        found.append(Finding("repaired", manifests.CURRENT, f"{fault}: replaced by the previous manifest{kept}"))
    try:
        manifests.read_manifest(folder, manifests.PREVIOUS)
    except (BrokenRun, OSError) as error:
        found.append(Finding("note", manifests.PREVIOUS, f"{error}; the next epoch rewrites it"))
    noticed = body.get("noticed")
    for text in noticed if isinstance(noticed, list) else []:
        found.append(Finding("note", manifests.CURRENT, f"found when the run was resumed: {text}"))
    return manifests.entries_of(body)


def _slots(folder: Path, entries: list[dict[str, Any]], found: list[Finding]) -> None:
    held, faults = slots.held(folder, {"checkpoints": entries})
    for saved in held[-1:]:
        text = f"has epoch {saved.epoch}, after the newest checkpoint: a resume goes on from there"
        found.append(Finding("note", f"checkpoints/{slots.name_of(saved.epoch)}", text))
    found.extend(Finding("note", "checkpoints", fault) for fault in faults)


def _checkpoints(folder: Path, entries: list[dict[str, Any]], found: list[Finding]) -> int:
    """The newest epoch with an intact checkpoint, 0 if there is none."""
    intact = 0
    for entry in entries:
        try:
            manifests.files_of(folder, entry)
            intact = max(intact, entry["epoch"])
        except (ValueError, OSError) as error:
            found.append(Finding("damaged", f"checkpoints/{entry['epoch']:06d}", str(error)))
    if entries and intact != entries[-1]["epoch"]:
        text = f"a resume goes back to epoch {intact}" if intact else "none is intact: restore the run from a copy"
        found.append(Finding("note", "checkpoints", text))
    return intact


def _metrics(folder: Path, entries: list[dict[str, Any]], free: bool, found: list[Finding]) -> None:
    path = folder / listing.METRICS
    try:
        data = read_plain(path, METRICS_LIMIT)
    except FileNotFoundError:
        data = b""
    except BrokenRun as error:
        found.append(Finding("damaged", listing.METRICS, str(error)))
        return
    whole = data.rfind(b"\n") + 1
    if whole < len(data) and free:
        kept = _keep_copy(folder, listing.METRICS)
        os.truncate(path, whole)
        found.append(
            Finding(
                "repaired",
                listing.METRICS,
                f"incomplete last row removed; the old file is kept as {kept}",
            )
        )
    bad = unreadable(path)
    if bad:
        found.append(Finding("damaged", listing.METRICS, f"{bad} rows cannot be read"))
    checksum = entries[-1].get("metrics") if entries else None
    if isinstance(checksum, dict) and not matches(path, checksum):
        text = f"the rows up to epoch {entries[-1]['epoch']} do not match their SHA-256: rows may be wrong or missing"
        found.append(Finding("damaged", listing.METRICS, text))


def _status(folder: Path, free: bool, finished: bool, found: list[Finding]) -> None:
    try:
        status = verified(read_plain(folder / "status.json"))
        if status.get("state") not in STATES:
            raise ValueError("its state is not one of a run")
        if free and status.get("state") in UNFINISHED:  # we hold the lock: no process trains it
            text = f"its process was killed: resume it with mmrl train --load {folder.name}"
            found.append(Finding("note", "status.json", text))
    except FileNotFoundError:
        text = "missing: its process ended early; resume the run to continue"
        found.append(Finding("note", "status.json", text))
    except (ValueError, OSError) as error:
        if not free:
            found.append(Finding("damaged", "status.json", str(error)))
            return
        state = "finished" if finished else "interrupted"
        kept = _keep_copy(folder, "status.json")
        write_status(folder, state)
        found.append(Finding("repaired", "status.json", f"{error}: rewritten as {state}, the old one kept as {kept}"))
