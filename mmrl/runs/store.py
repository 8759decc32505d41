"""The folders of runs: make, find, list, rename, expand, trash."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import BrokenRun, durable_write, inner_folder, open_plain, read_plain, sync_folder
from mmrl.runs.checksum import sha256
from mmrl.runs.lock import RunBusy, RunLock, is_locked
from mmrl.runs.manifest import write_manifest
from mmrl.runs.names import BadRunName, free_name, generated_name, namesake, run_folder, valid_name
from mmrl.runs.status import STATES, read_status
from mmrl.settings.declare import ConfigError
from mmrl.settings.files import LARGEST_FILE
from mmrl.settings.market_file import MarketFile
from mmrl.settings.model import Config
from mmrl.settings.sources import StoredConfig, dump_toml, load_toml, replaced
from mmrl.statistics.intervals import recorded_half

CONFIG, METRICS, MARKET = "config.toml", "metrics.jsonl", "market.toml"
MARKET_SHA, MARKET_FROM = "market_sha256", "market_from"
"""In the notes of config.toml: of the market file in the folder, if the market was fitted to data."""
GROUP = "group"
"""In the notes of config.toml: name of the group that the run belongs to (mmrl/runs/groups.py)."""
PLACE_SETTINGS = ("run.name", "run.results")  # where a run is stored does not change what it computes


SHOWN = 5
"""Names that a message lists at most."""
TRASH = ".trash"


class RunNotFound(LookupError):
    """There is no run of that name."""


@dataclass(frozen=True)
class RunInfo:
    """What a list of runs shows of each."""

    name: str
    id: str
    folder: str
    state: str
    epoch: int
    target: int
    market: str
    algorithm: str
    value_mean: float | None
    value_half: float | None
    """Half of the 95 % interval of the mean value."""
    optimality: float | None
    steps_per_second: float | None
    started: float | None
    updated: float | None
    market_from: str = ""
    """What data the market was fitted to; empty for a market by hand."""
    seed: int | None = None
    lr: float | None = None
    group: str = ""
    """The group that it belongs to; empty for a run of its own."""


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


_CHECKSUM_NOTE = b"# The last line is the SHA-256 of all above it: after an edit by hand remove it and this line.\n"
_CHECKSUM = re.compile(rb"# sha256 ([0-9a-f]{64})\n$")


def write_config(folder: Path, config: Config, origins: Mapping[str, str], meta: Mapping[str, Any]) -> None:
    """Write config.toml durably, with its SHA-256 on the last line."""
    text = _CHECKSUM_NOTE + dump_toml(config, origins, meta).encode()
    durable_write(folder / CONFIG, text + f"# sha256 {sha256(text)}\n".encode())


USUAL_CONFIG = 2**15  # bytes; larger files of settings are not cached


@lru_cache(maxsize=1024)
def _parsed(data: bytes, path: str) -> StoredConfig:
    return load_toml(data.decode("utf-8"), path)


def _settings(data: bytes, path: str) -> StoredConfig:
    """The settings in a file; an unchanged file is parsed only once, as watchers read it many times a second."""
    stored = _parsed(data, path) if len(data) < USUAL_CONFIG else _parsed.__wrapped__(data, path)
    return replace(stored, origins=dict(stored.origins), meta=dict(stored.meta))


def read_config(folder: Path) -> StoredConfig:
    """The settings of a run; raises ConfigError naming the file when they cannot be used."""
    path = folder / CONFIG
    try:
        data = read_plain(path, 1_000_000)
        found = _CHECKSUM.search(data)
        intact = found and sha256(data[: found.start()]).encode() == found[1]
        if (found or data.startswith(_CHECKSUM_NOTE)) and not intact:
            raise ConfigError(f"{path} does not match its SHA-256: restore it, or follow its first line")
        stored = _settings(data, str(path))
        if not stored.meta.get("id"):  # a file without its beginning would otherwise look like the defaults
            raise ConfigError(f"{path} has no id in [meta]: it is not the config.toml of a run")
        return stored
    except BrokenRun as error:
        raise ConfigError(str(error)) from None
    except (UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{path} is not a text file of settings") from None


def find_run(name: str, results: str | Path) -> RunInfo:
    """A run by its name in `results`, the beginning of it if no other begins so, or the path of its folder.

    Raises RunNotFound.
    """
    if valid_name(name):
        folder = run_folder(results, name)
    elif os.sep in name:
        folder = Path(name)
        if not valid_name(folder.resolve().name):
            raise BadRunName(f"{name!r} does not end with the name of a run")
        if folder.is_symlink():
            raise BadRunName(f"run {name!r} is a link: links are not followed")
    else:
        folder = run_folder(results, name)
    if not (folder / CONFIG).is_file():
        folder = _begun_by(name, results)
    return describe(folder)


def _begun_by(name: str, results: str | Path) -> Path:
    """The folder of the one run whose name begins with `name`."""
    found = [folder for folder in run_folders(results) if valid_name(name) and folder.name.startswith(name)]
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")
        raise RunNotFound(f"{len(found)} runs in {results} begin with {name}: {names}: type more of the name")
    if not found:
        raise RunNotFound(f"no run {name} in {results}: see mmrl runs list --results {results}")
    return found[0]


def find_runs(results: str | Path) -> list[RunInfo]:
    """All runs of a folder by name; other entries are skipped, a broken run is listed as such."""
    return [describe(folder) for folder in run_folders(results)]


def run_folders(results: str | Path) -> list[Path]:
    """The folders of runs in a folder, by name."""
    root = Path(results)
    if not root.is_dir():
        return []
    folders = [f for f in sorted(root.iterdir()) if valid_name(f.name) and not f.is_symlink()]
    return [folder for folder in folders if (folder / CONFIG).is_file()]


def describe(folder: Path) -> RunInfo:
    """The facts of a run, from its files."""
    market = algorithm = identity = origin = group = ""
    target, seed, lr = 0, None, None
    try:
        stored = read_config(folder)
        market, algorithm = str(stored.config.market.name), str(stored.config.training.algorithm)
        target, identity = stored.config.training.ne, str(stored.meta.get("id", ""))
        origin, group = str(stored.meta.get(MARKET_FROM, "")), str(stored.meta.get(GROUP, ""))
        seed, lr = stored.config.run.seed, stored.config.training.lr
    except (ValueError, OSError):
        pass  # listed as broken
    status, (last, graded) = read_status(folder), last_records(folder, "epoch", "optimality")
    state = status.get("state", ("starting" if is_locked(folder) else "crashed") if identity else "broken")
    return RunInfo(
        name=folder.name,
        id=identity,
        folder=str(folder),
        state=state if state in STATES else "broken",
        epoch=int(_number(last, "epoch") or 0),
        target=int(_number(status, "target") or target),
        market=market,
        algorithm=algorithm,
        value_mean=_number(last, "value_mean"),
        value_half=recorded_half(last),
        optimality=_number(graded, "optimality"),
        steps_per_second=_number(last, "steps_per_second"),
        started=_moment(status, "started"),
        updated=_moment(status, "updated"),
        market_from=origin,
        seed=seed,
        lr=lr,
        group=group,
    )


def _number(facts: Mapping[str, Any], key: str) -> float | None:
    """A finite number of a file that may come from anywhere, else None."""
    value = facts.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and abs(value) < 1e300 else None


def _moment(facts: Mapping[str, Any], key: str) -> float | None:
    """A plausible unix time, else None."""
    value = _number(facts, key)
    return value if value is not None and 0 <= value < 2**37 else None


def last_records(folder: Path, *keys: str) -> list[dict[str, Any]]:
    """For each key the last complete record of metrics.jsonl that has it, in its last 64 KiB; empty when none has.

    Usually that is the last line: only a few KiB are read first, as watchers call this many times a second.
    """
    found: list[dict[str, Any]] = [{} for _ in keys]
    with (
        contextlib.suppress(OSError, BrokenRun),
        os.fdopen(open_plain(folder / METRICS), "rb", buffering=0) as file,
    ):
        end = os.fstat(file.fileno()).st_size
        for size in (4096, 65_536):
            tail = os.pread(file.fileno(), size, max(0, end - size))
            whole = tail[: tail.rfind(b"\n") + 1]
            found = [record or _last_with(key, whole) for record, key in zip(found, keys, strict=True)]
            if all(found) or size >= end:
                break
    return found


def _last_with(key: str, lines: bytes) -> dict[str, Any]:
    """The last record with a key among some lines; only lines that contain its name are parsed."""
    import json

    end = len(lines)
    while (at := lines.rfind(key.encode(), 0, end)) >= 0:
        end = lines.rfind(b"\n", 0, at) + 1
        try:
            record = json.loads(lines[end : lines.find(b"\n", at)])
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and key in record:
            return record
    return {}


def matching(config: Config) -> Path | None:
    """The unfinished run of no group in the results folder that has exactly these settings, if there is one."""
    for info in find_runs(config.run.results):
        folder = Path(info.folder)
        own = not info.group and config.run.name in ("", info.name)
        if own and info.state in ("interrupted", "crashed", "failed"):
            try:
                stored = read_config(folder).config
            except (ValueError, OSError):
                continue
            place = {key: getattr(config.run, key.split(".")[1]) for key in PLACE_SETTINGS}
            if replaced(stored, place) == config:
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
