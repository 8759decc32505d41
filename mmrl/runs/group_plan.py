"""The runs of a group that are still to be trained, and their folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmrl.runs import store
from mmrl.runs.config_file import LIVE_EDIT, edited, kept_edits, read_config
from mmrl.runs.listing import RunInfo, find_runs
from mmrl.runs.lock import RunBusy
from mmrl.runs.names import RULE, BadRunName, generated_name, namesake, valid_name
from mmrl.runs.status import UNFINISHED, write_status
from mmrl.settings.errors import ConfigError
from mmrl.settings.market_file import MarketFile
from mmrl.settings.model import Config
from mmrl.settings.sources import StoredConfig, replaced

MOST = 1000
"""Seeds of a group."""
LARGEST = 2**63 - 1
DONE = ("finished", "diverged")
"""States after which nothing is left to train."""


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds of a text such as `0-4` or `0,3,7`, in rising order. Raises ConfigError."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isascii() or not first.isdigit() or (dash and not (last.isascii() and last.isdigit())):
            raise ConfigError(f"--seeds {text}: write a range or a list of numbers, such as 0-4 or 0,3,7")
        low, high = int(first), int(last or first)
        if high < low:
            raise ConfigError(f"--seeds {text}: {part.strip()} ends before it begins: write {high}-{low}")
        if high > LARGEST or high - low >= MOST or len(found) + high - low >= MOST:
            raise ConfigError(f"--seeds {text}: there may be at most {MOST} seeds, each at most 2^63 - 1")
        twice = found & set(range(low, high + 1))
        if twice:
            raise ConfigError(f"--seeds {text}: {min(twice)} is given twice: name every seed once")
        found |= set(range(low, high + 1))
    return tuple(sorted(found))


@dataclass(frozen=True)
class Planned:
    """A run of a group that is to be trained."""

    seed: int
    name: str
    folder: Path | None
    """None where it is still to be created."""


@dataclass(frozen=True)
class Plan:
    """What a training of several seeds has to do."""

    group: str
    config: Config
    """Of all its runs but for seed and name."""
    runs: list[Planned]
    done: list[RunInfo]
    """Runs that have nothing left to train."""
    edited: tuple[str, ...] = ()
    """Keys of the settings that the group was given while it trained: new runs of it are given them too."""


def plan(config: Config, seeds: Sequence[int], threads: int) -> Plan:
    """The group that trains these settings with these seeds: one that is not done, or a new one; creates nothing.

    `threads`: of each run where the settings name no number; a group that has begun keeps its own.
    Raises ConfigError where its name is taken or nothing is left to do, RunBusy where one of its runs is trained now.
    """
    root, name = Path(config.run.results), config.run.name
    if name and not valid_name(_member(name, max(seeds))):
        raise BadRunName(f"group name {name!r} is not allowed: {RULE}")
    groups: dict[str, list[RunInfo]] = {}
    for info in find_runs(root):
        if info.group and name in ("", info.group):
            groups.setdefault(info.group, []).append(info)
    for group, infos in groups.items():
        stored = _stored(infos[0])
        if stored is None or _alike(stored.config, config) != _alike(kept_edits(stored, config), config):
            if name:
                raise ConfigError(f"run.name = {name!r}: the group {name} has other settings: choose another name")
            continue
        there = {info.seed: info for info in infos}
        busy = next((i for i in infos if i.seed in seeds and i.state in UNFINISHED), None)
        if busy:
            raise RunBusy(f"run {busy.name} of this group is being trained: wait for it or stop it")
        done = [there[seed] for seed in seeds if seed in there and there[seed].state in DONE]
        if len(done) < len(seeds):
            left = [seed for seed in seeds if seed not in {info.seed for info in done}]
            runs = [_planned(group, seed, there.get(seed)) for seed in left]
            config = replaced(kept_edits(stored, config), {"run.threads": stored.config.run.threads})
            return Plan(group, config, runs, done, tuple(edited(stored)))
        if name:
            raise ConfigError(f"the group {name} has trained all of these seeds: name others, or another --name")
    group = name or _free(root, generated_name(config), seeds)
    taken = next((n for n in (group, *(_member(group, s) for s in seeds)) if namesake(root, n)), "")
    if taken:
        raise ConfigError(f"run.name = {group!r}: {taken} is taken in {root}: choose another name")
    config = replaced(config, {"run.threads": config.run.threads or threads})
    return Plan(group, config, [_planned(group, seed, None) for seed in seeds], [])


def begin(plan: Plan, origins: Mapping[str, str], fitted: MarketFile | None) -> list[Planned]:
    """The runs of a plan with their folders, which are created where they are missing, as stopped runs."""
    found = []
    for run in plan.runs:
        folder = run.folder
        if folder is None:
            own = replaced(plan.config, {"run.seed": run.seed, "run.name": run.name})
            given = {**origins, **dict.fromkeys(plan.edited, f"{LIVE_EDIT} of the group")}
            folder = begin_member(own, given, plan.group, fitted)
        found.append(Planned(run.seed, run.name, folder))
    return found


def begin_member(config: Config, origins: Mapping[str, str], group: str, fitted: MarketFile | None = None) -> Path:
    """Create a run of a group that another process will train."""
    with store.begin(config, origins, fitted, group) as lock:
        write_status(lock.folder, "interrupted", target=config.training.ne)
        return lock.folder


def _planned(group: str, seed: int, info: RunInfo | None) -> Planned:
    if info is None:
        return Planned(seed, _member(group, seed), None)
    return Planned(seed, info.name, Path(info.folder))


def _member(group: str, seed: int) -> str:
    return f"{group}-seed{seed}"


def _free(root: Path, name: str, seeds: Sequence[int]) -> str:
    taken = {info.group.lower() for info in find_runs(root)}
    candidate, k = name, 0
    while candidate.lower() in taken or any(
        namesake(root, n) for n in (candidate, *(_member(candidate, s) for s in seeds))
    ):
        k += 1
        candidate = f"{name}_{k}"
    return candidate


def _stored(info: RunInfo) -> StoredConfig | None:
    try:
        return read_config(Path(info.folder))
    except (ValueError, OSError):
        return None


def _alike(config: Config, wanted: Config) -> Config:
    """Settings without what may differ between the runs of a group, or between its starts."""
    same = {"run.seed": 0, "run.name": "", "run.results": wanted.run.results}
    return replaced(config, same if wanted.run.threads else {**same, "run.threads": 0})
