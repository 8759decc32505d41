"""What the files of runs tell of them, without the classes of the settings: found by name, listed, described."""

from __future__ import annotations

import contextlib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from mmrl.runs.atomic import BrokenRun, open_plain, read_plain
from mmrl.runs.lock import is_locked
from mmrl.runs.names import BadRunName, run_folder, valid_name
from mmrl.runs.seal import is_sealed
from mmrl.runs.status import STATES, UNFINISHED, read_status
from mmrl.statistics.intervals import recorded_half

CONFIG, METRICS = "config.toml", "metrics.jsonl"
MARKET_FROM = "market_from"
"""In the notes of config.toml: of the market file in the folder, if the market was fitted to data."""
GROUP = "group"
"""In the notes of config.toml: name of the group that the run belongs to (mmrl/runs/groups.py)."""
LARGEST_CONFIG = 1_000_000
"""Bytes of config.toml."""
USUAL_CONFIG = 2**15
"""Bytes; what is read of larger files is not kept in memory."""
SHOWN = 5
"""Names that a message lists at most."""


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
        group = sum(_group_of(folder) == name for folder in found)
        if group:
            raise RunNotFound(f"{name} is a group of {group} runs, and this takes one run: name one of {names}")
        raise RunNotFound(f"{len(found)} runs in {results} begin with {name}: {names}: type more of the name")
    if not found:
        raise RunNotFound(f"no run {name} in {results}: see mmrl runs list --results {results}")
    return found[0]


def _group_of(folder: Path) -> str:
    return describe(folder).group


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


class Facts(NamedTuple):
    """What a list shows of the settings and notes of a run."""

    id: str = ""
    market: str = ""
    algorithm: str = ""
    target: int = 0
    seed: int | None = None
    lr: float | None = None
    market_from: str = ""
    group: str = ""


KINDS = (str, str, str, int, int, float, str, str)
"""Of the facts as config.toml has them."""


def describe(folder: Path) -> RunInfo:
    """The facts of a run, from its files."""
    try:
        facts = _facts(folder)
    except (ValueError, OSError):
        facts = Facts()  # listed as broken
    status, (last, graded) = read_status(folder), last_records(folder, "epoch", "optimality")
    state = status.get("state", "starting" if is_locked(folder) else "crashed")
    if not facts.id and state not in UNFINISHED:
        state = "broken"
    return RunInfo(
        name=folder.name,
        id=facts.id,
        folder=str(folder),
        state=state if state in STATES else "broken",
        epoch=int(_number(last, "epoch") or 0),
        target=int(_number(status, "target") or facts.target),
        market=facts.market,
        algorithm=facts.algorithm,
        value_mean=_number(last, "value_mean"),
        value_half=recorded_half(last),
        optimality=_number(graded, "optimality"),
        steps_per_second=_number(last, "steps_per_second"),
        started=_moment(status, "started"),
        updated=_moment(status, "updated"),
        market_from=facts.market_from,
        seed=facts.seed,
        lr=facts.lr,
        group=facts.group,
    )


def _facts(folder: Path) -> Facts:
    """Of config.toml, which a checksum that matches makes as good as checked: what was written had been.

    ConfigError or OSError where it cannot be used.
    """
    data = read_plain(folder / CONFIG, LARGEST_CONFIG)
    read = _sealed_facts if len(data) < USUAL_CONFIG else _sealed_facts.__wrapped__
    if is_sealed(data) and (found := read(data)):
        return found
    from mmrl.runs.config_file import read_config  # which needs the classes of the settings: a list of runs does not

    stored = read_config(folder)
    config, meta = stored.config, stored.meta
    settings = (str(config.market.name), str(config.training.algorithm), config.training.ne)
    numbers = (config.run.seed, config.training.lr)
    return Facts(str(meta.get("id", "")), *settings, *numbers, *(str(meta.get(k, "")) for k in (MARKET_FROM, GROUP)))


@lru_cache(maxsize=1024)
def _sealed_facts(data: bytes) -> Facts | None:
    """The facts in a file that matches its checksum; None where another version wrote it under other names.

    An unchanged file is parsed only once, as watchers read it many times a second.
    """
    try:
        table = tomllib.loads(data.decode())
        market, training, run, meta = (table[name] for name in ("market", "training", "run", "meta"))
        settings = (market["name"], training["algorithm"], training["ne"], run["seed"], training["lr"])
        found = Facts(meta["id"], *settings, *(meta.get(key, "") for key in (MARKET_FROM, GROUP)))
    except (KeyError, TypeError, AttributeError, RecursionError):
        return None
    return found if all(type(value) is kind for value, kind in zip(found, KINDS, strict=True)) else None


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
