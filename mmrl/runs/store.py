"""The folders of runs: make, find, list, rename, promote, trash."""

from __future__ import annotations

import math
import os
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.config import Config, ConfigError
from mmrl.config_sources import StoredConfig, dump_toml, load_toml, replaced
from mmrl.runs.atomic import durable_write, sync_folder
from mmrl.runs.lock import RunBusy, is_locked
from mmrl.runs.names import BadRunName, free_name, generated_name, run_folder, valid_name
from mmrl.runs.status import STATES, read_status

CONFIG, METRICS = "config.toml", "metrics.jsonl"
PLACE_SETTINGS = ("run.name", "run.results")  # where a run lies says nothing about what it computes


class RunNotFound(LookupError):
    """No run of that name."""


@dataclass(frozen=True)
class RunInfo:
    """What a list of runs shows of one."""

    name: str
    id: str
    folder: str
    state: str
    epoch: int
    target: int
    market: str
    algorithm: str
    value_mean: float | None
    value_se: float | None
    optimality: float | None
    steps_per_second: float | None
    started: float | None
    updated: float | None


def create(config: Config, origins: Mapping[str, str]) -> Path:
    """Make the folder of a new run, with its settings and a new id; a given name must be free."""
    root = Path(config.run.results)
    name = config.run.name
    if name and run_folder(root, name).exists():
        raise ConfigError(f"run.name = {name!r} is taken in {root}: choose another, or go on with --load {name}")
    root.mkdir(parents=True, exist_ok=True)
    while True:
        folder = run_folder(root, name or free_name(root, generated_name(config)))
        try:
            folder.mkdir()
            break
        except FileExistsError:  # another process was faster: take the next suffix
            if name:
                raise
    write_config(folder, config, origins, {"id": uuid.uuid4().hex, "created": time.time()})
    sync_folder(root)
    return folder


def write_config(folder: Path, config: Config, origins: Mapping[str, str], meta: Mapping[str, Any]) -> None:
    """Write config.toml durably."""
    durable_write(folder / CONFIG, dump_toml(config, origins, meta).encode())


def read_config(folder: Path) -> StoredConfig:
    """The settings of a run; raises ConfigError naming the file when they cannot be used."""
    path = folder / CONFIG
    if path.stat().st_size > 1_000_000:
        raise ConfigError(f"{path} is too large to be a file of settings")
    try:
        return load_toml(path.read_text(encoding="utf-8"), str(path))
    except (UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{path} is not a file of settings") from None


def find_run(name: str, results: str | Path) -> RunInfo:
    """A run by its name in `results`, or by the path of its folder. Raises RunNotFound."""
    if valid_name(name):
        folder = run_folder(results, name)
    elif os.sep in name:
        folder = Path(name)
        if not valid_name(folder.resolve().name):
            raise BadRunName(f"{name!r} does not end in the name of a run")
    else:
        folder = run_folder(results, name)
    if not (folder / CONFIG).is_file():
        raise RunNotFound(f"no run {name} in {results}: see mmrl runs list --results {results}")
    return describe(folder)


def find_runs(results: str | Path) -> list[RunInfo]:
    """All runs of a folder by name; what is no run is passed over, a broken one is listed as such."""
    root = Path(results)
    if not root.is_dir():
        return []
    folders = [f for f in sorted(root.iterdir()) if valid_name(f.name) and not f.is_symlink()]
    return [describe(folder) for folder in folders if (folder / CONFIG).is_file()]


def describe(folder: Path) -> RunInfo:
    """What the files of a run say of it."""
    market = algorithm = identity = ""
    target = 0
    try:
        stored = read_config(folder)
        market, algorithm = str(stored.config.market.name), str(stored.config.training.algorithm)
        target, identity = stored.config.training.ne, str(stored.meta.get("id", ""))
    except (ConfigError, OSError):
        pass  # listed as broken
    status, last = read_status(folder), last_record(folder)
    state = status.get("state", "starting" if identity else "broken")
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
        value_se=_number(last, "value_se"),
        optimality=_number(last_record(folder, "optimality"), "optimality"),
        steps_per_second=_number(last, "steps_per_second"),
        started=_moment(status, "started"),
        updated=_moment(status, "updated"),
    )


def _number(facts: Mapping[str, Any], key: str) -> float | None:
    """A finite number of a file that anyone may have written, else None."""
    value = facts.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and abs(value) < 1e300 else None


def _moment(facts: Mapping[str, Any], key: str) -> float | None:
    """A unix time that a calendar can show, else None."""
    value = _number(facts, key)
    return value if value is not None and 0 <= value < 2**37 else None


def last_record(folder: Path, key: str = "epoch") -> dict[str, Any]:
    """The last whole line of metrics.jsonl that has a key, among its last 64 KiB; empty when there is none."""
    import json

    try:
        with (folder / METRICS).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 65_536))
            tail = file.read()
    except OSError:
        return {}
    for line in reversed(tail[: tail.rfind(b"\n") + 1].splitlines()):
        if key.encode() not in line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and key in record:
            return record
    return {}


def matching(config: Config) -> Path | None:
    """The unfinished run in the results folder that has exactly these settings, if there is one."""
    for info in find_runs(config.run.results):
        folder = Path(info.folder)
        if info.state in ("interrupted", "crashed", "failed") and (not config.run.name or config.run.name == info.name):
            try:
                stored = read_config(folder).config
            except (ConfigError, OSError):
                continue
            place = {key: getattr(config.run, key.split(".")[1]) for key in PLACE_SETTINGS}
            if replaced(stored, place) == config:
                return folder
    return None


def resting(folder: Path) -> None:
    """Raise RunBusy when a process trains the run."""
    if is_locked(folder):
        raise RunBusy(f"run {folder.name} is being trained: stop it first with mmrl runs stop {folder.name}")


def rename(folder: Path, name: str) -> Path:
    """Give a resting run another name, by one rename."""
    resting(folder)
    target = run_folder(folder.parent, name)
    if target.exists():
        raise ConfigError(f"name {name!r} is taken in {folder.parent}: choose another")
    folder.rename(target)
    sync_folder(folder.parent)
    return target


def expanded(folder: Path, epochs: int) -> Path:
    """Raise the target of a resting run by `epochs`; a generated name follows the new target."""
    resting(folder)
    stored = read_config(folder)
    config = replaced(stored.config, {"training.ne": stored.config.training.ne + epochs})
    write_config(folder, config, stored.origins, stored.meta)
    if not re.fullmatch(re.escape(generated_name(stored.config)) + r"(_\d+)?", folder.name):
        return folder
    return rename(folder, free_name(folder.parent, generated_name(config)))


def promote(folder: Path) -> Path:
    """Copy a resting run into good-results beside the results folder."""
    resting(folder)
    root = folder.resolve().parent.parent / "good-results"
    target = run_folder(root, folder.name)
    if target.exists():
        raise ConfigError(f"{target} is there already: rename the run first")
    root.mkdir(exist_ok=True)
    copy = root / f".{folder.name}.{os.getpid()}.tmp"  # never a half-copied run under its name
    try:
        shutil.copytree(folder, copy, symlinks=True, ignore=shutil.ignore_patterns("lock", "control.json", ".*"))
        copy.rename(target)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    sync_folder(root)
    return target


def trash(folder: Path) -> Path:
    """Move a resting run into the .trash folder of its results folder."""
    resting(folder)
    place = folder.parent / ".trash"
    place.mkdir(exist_ok=True)
    target = place / f"{folder.name}.{time.time_ns()}"
    folder.rename(target)
    return target
