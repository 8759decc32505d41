"""good-results: copies of runs without most of their checkpoints, each copy verified."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import BrokenRun, durable_write, inner_folder, read_plain, refuse_links, sync_folder
from mmrl.runs.checksum import with_checksum
from mmrl.runs.config_file import read_config, write_config
from mmrl.runs.encoding import plain
from mmrl.runs.episodes import LIMIT, episode_epochs
from mmrl.runs.history import METRICS_LIMIT, History, matches
from mmrl.runs.listing import METRICS
from mmrl.runs.lock import RunLock
from mmrl.runs.manifest import entries_of, files_of, read_manifest, write_manifest
from mmrl.runs.names import good_folder, namesake, run_folder
from mmrl.runs.slots import settle
from mmrl.runs.status import read_raw
from mmrl.runs.store import MARKET, MARKET_SHA, PLACE_SETTINGS, check_market
from mmrl.settings.errors import ConfigError
from mmrl.settings.files import LARGEST_FILE
from mmrl.settings.sources import replaced


def promote(folder: Path) -> Path:
    """Copy a run that is not in training into good-results, next to the results folder.

    Of its checkpoints the last and the best are copied, verified by the manifest on both sides; process id, host and
    path are left out. Raises RunBusy, and BrokenRun when the run is damaged.
    """
    root = good_folder(folder.resolve().parent)
    target = run_folder(root, folder.name)
    with RunLock(folder):
        other = namesake(root, folder.name)
        if other:
            raise ConfigError(f"{root / other} exists already: rename the run first")
        refuse_links(folder)
        settle(folder, History(folder / METRICS))
        root.mkdir(exist_ok=True)
        copy = root / f".{folder.name}.{os.getpid()}.tmp"  # never a half-copied run under its name
        try:
            _copy(folder, copy)
            os.rename(copy, target)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        sync_folder(root)
    return target


def _copy(folder: Path, copy: Path) -> None:
    copy.mkdir()
    stored = read_config(folder)
    config = replaced(stored.config, {"run.results": "good-results"})
    write_config(copy, config, {k: v for k, v in stored.origins.items() if k not in PLACE_SETTINGS}, stored.meta)
    if MARKET_SHA in stored.meta:
        check_market(folder)
        durable_write(copy / MARKET, read_plain(folder / MARKET, LARGEST_FILE))
    manifest = read_manifest(folder)
    entries = entries_of(manifest)
    entries = [e for e in entries if e is entries[-1] or e["epoch"] == manifest.get("best_epoch")]
    if entries:
        for entry in entries:
            try:
                for suffix, data in files_of(folder, entry).items():
                    durable_write(inner_folder(copy, "checkpoints") / f"{entry['epoch']:06d}.{suffix}", data)
            except (OSError, ValueError) as error:
                raise BrokenRun(f"checkpoint {entry['epoch']} is damaged ({error}): resume the run first") from None
    with contextlib.suppress(FileNotFoundError):
        durable_write(copy / METRICS, read_plain(folder / METRICS, METRICS_LIMIT))
    checksum = entries[-1].get("metrics") if entries else None
    if isinstance(checksum, dict) and not matches(copy / METRICS, checksum):
        raise BrokenRun(f"{folder / METRICS} does not match its SHA-256: see mmrl runs doctor {folder.name}")
    for epoch in episode_epochs(folder):
        name = f"{epoch:06d}.npz"
        durable_write(inner_folder(copy, "episodes") / name, read_plain(folder / "episodes" / name, LIMIT))
    status = {key: value for key, value in read_raw(folder).items() if key not in ("pid", "host")}
    if status:
        durable_write(copy / "status.json", with_checksum(plain(status)))
    if entries:
        body: dict[str, Any] = {key: manifest[key] for key in ("versions", "best_epoch", "noticed") if key in manifest}
        write_manifest(copy, {**body, "checkpoints": entries})
        for entry in entries_of(read_manifest(copy)):
            files_of(copy, entry)
