"""The folders of runs: make, find, list, rename, expand, trash."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from mmrl.runs.atomic import BrokenRun, durable_write, inner_folder, read_plain, sync_folder
from mmrl.runs.checksum import sha256
from mmrl.runs.config_file import kept_edits, read_config, write_config
from mmrl.runs.listing import CONFIG, GROUP, MARKET_FROM, find_runs
from mmrl.runs.lock import RunBusy, RunLock
from mmrl.runs.manifest import write_manifest
from mmrl.runs.names import free_name, generated_name, namesake, run_folder
from mmrl.settings.errors import ConfigError
from mmrl.settings.files import LARGEST_FILE
from mmrl.settings.market_file import MarketFile
from mmrl.settings.model import Config
from mmrl.settings.sources import replaced

PLACE_SETTINGS = ("run.name", "run.results")  # where a run is stored does not change what it computes

MARKET = "market.toml"
MARKET_SHA = "market_sha256"
"""In the notes of config.toml: of the market file in the folder, if the market was fitted to data."""
TRASH = ".trash"


def create(config: Config, origins: Mapping[str, str]) -> Path:
    """Create the folder of a new run, with its settings and a new id; a given name must be free."""
    with begin(config, origins) as lock:
        return lock.folder


def begin(config: Config, origins: Mapping[str, str], fitted: MarketFile | None = None, group: str = "") -> RunLock:
    """A new run, locked from the moment it becomes visible; release the lock or use it in a with block.

    It keeps the file in which its market was fitted. The folder gets its name when it is complete: a process killed
    before that leaves nothing that looks like a run.
    """
    root = Path(config.run.results)
    name = config.run.name
    if name and namesake(root, name):
        raise _taken(root, name)
    root.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(root)
    hidden = root / f".new-{uuid.uuid4().hex}.tmp"
    hidden.mkdir()
    lock = RunLock(hidden)
    try:
        lock.take()
        meta = {"id": uuid.uuid4().hex, "created": time.time()}
        if fitted:
            durable_write(hidden / MARKET, fitted.text.encode())
            meta |= {MARKET_SHA: fitted.sha256, MARKET_FROM: fitted.origin}
        meta |= {GROUP: group} if group else {}
        write_config(hidden, config, origins, meta)
        write_manifest(hidden, {"checkpoints": []})  # gives the run a schema version before its first epoch
        while True:
            folder = run_folder(root, name or free_name(root, generated_name(config)))
            try:
                os.rename(hidden, folder)
                break
            except OSError as error:  # another process was faster: take the next suffix
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                if name:
                    raise _taken(root, name) from None
        sync_folder(root)
    except BaseException:
        lock.release()
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    lock.folder = folder
    return lock


def _taken(root: Path, name: str) -> ConfigError:
    other = namesake(root, name) or name
    return ConfigError(f"run.name = {name!r} is taken in {root}: choose another name, or resume it with --load {other}")


def _remove_unfinished(root: Path) -> None:
    """Remove folders of processes that were killed while they created a run."""
    for path in root.glob(".new-*.tmp"):
        with contextlib.suppress(OSError, RunBusy, BrokenRun):
            if time.time() - path.lstat().st_mtime > 60:
                with RunLock(path):
                    shutil.rmtree(path, ignore_errors=True)


def check_market(folder: Path) -> None:
    """Raise ConfigError where the market file of a run is no longer the one that it began with."""
    wanted = read_config(folder).meta.get(MARKET_SHA)
    if wanted is None:
        return
    try:
        found = sha256(read_plain(folder / MARKET, LARGEST_FILE))
    except (OSError, BrokenRun) as error:
        raise ConfigError(f"{folder / MARKET} cannot be read ({error}): restore it from a copy") from None
    if found != wanted:
        raise ConfigError(f"{folder / MARKET} does not match its SHA-256 in {CONFIG}: restore it from a copy")


def matching(config: Config) -> Path | None:
    """The unfinished run of no group in the results folder that began with exactly these settings, if there is one."""
    for info in find_runs(config.run.results):
        folder = Path(info.folder)
        own = not info.group and config.run.name in ("", info.name)
        if own and info.state in ("interrupted", "crashed", "failed"):
            try:
                stored = read_config(folder)
            except (ValueError, OSError):
                continue
            place = {key: getattr(config.run, key.split(".")[1]) for key in PLACE_SETTINGS}
            if replaced(stored.config, place) == kept_edits(stored, config):
                return folder
    return None


def rename(folder: Path, name: str) -> Path:
    """Give a run that is not in training another name, by one rename. Raises RunBusy."""
    with RunLock(folder):
        return _renamed(folder, name)


def _renamed(folder: Path, name: str) -> Path:
    target = run_folder(folder.parent, name)
    other = name if name == folder.name else namesake(folder.parent, name, but=folder.name)
    if other:
        raise ConfigError(f"name {name!r} is taken in {folder.parent} by {other}: choose another name")
    folder.rename(target)
    sync_folder(folder.parent)
    return target


def expanded(folder: Path, epochs: int) -> Path:
    """Raise the target of a run that is not in training; a generated name follows the new target. Raises RunBusy."""
    with RunLock(folder) as lock:
        return expand_held(lock, epochs)


def expand_held(lock: RunLock, epochs: int) -> Path:
    """As expanded(), for a caller that holds the lock of the run and keeps it."""
    folder = lock.folder
    stored = read_config(folder)
    config = replaced(stored.config, {"training.ne": stored.config.training.ne + epochs})
    write_config(folder, config, stored.origins, stored.meta)
    size = f"-{config.training.nb}-{config.market.nt}_"
    pattern = re.escape(generated_name(config)).replace(
        re.escape(f"_{config.training.ne}{size}"), rf"_\d+{re.escape(size)}"
    )
    if re.fullmatch(pattern + r"(_\d+)?", folder.name):  # any target: a process may have crashed between these steps
        lock.folder = _renamed(folder, free_name(folder.parent, generated_name(config)))
    return lock.folder


def trash(folder: Path) -> Path:
    """Move a run that is not in training into the .trash folder of its results folder. Raises RunBusy."""
    with RunLock(folder):
        place = inner_folder(folder.parent, TRASH)
        target = place / f"{folder.name}.{time.time_ns()}"
        folder.rename(target)
        sync_folder(place)
        sync_folder(folder.parent)
    return target
