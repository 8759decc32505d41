"""Groups of runs: a training repeated with several seeds, or the trials of a sweep.

A group has no file of its own: each of its runs names it in the notes of its config.toml (`group`). The runs are runs
like any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from mmrl.runs import goals
from mmrl.runs.listing import CONFIG, RunInfo, find_runs
from mmrl.runs.names import valid_name
from mmrl.runs.status import word
from mmrl.statistics.seeds import mean_half


def ranges(numbers: Sequence[int]) -> str:
    """Numbers as `seeds_of` reads them: 0-4, or 0,3,7."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


def members(name: str, results: str | Path) -> list[RunInfo]:
    """The runs of a group by seed and name; none where there is no such group, or where a run has that name."""
    if not valid_name(name) or (Path(results) / name / CONFIG).is_file():
        return []
    found = [info for info in find_runs(results) if info.group == name]
    return sorted(found, key=lambda info: (-1 if info.seed is None else info.seed, info.name))


def folded(infos: Sequence[RunInfo]) -> list[list[RunInfo]]:
    """Runs in their order, those of a group together where the first of them stands."""
    rows: dict[str, list[RunInfo]] = {}
    for info in infos:
        rows.setdefault(f"{info.group}/" if info.group else info.name, []).append(info)
    return list(rows.values())


def mean_of(infos: Sequence[RunInfo], fact: str) -> tuple[float, float]:
    """Mean over the runs that have a fact, such as `value_mean`, and half of its 95 % interval."""
    return mean_half([float(value) for value in (getattr(info, fact) for info in infos) if value is not None])


def is_sweep(infos: Sequence[RunInfo]) -> bool:
    """Whether the runs of a group are the trials of a sweep, whose spec lies in a folder of its name."""
    return goals.sweep_of(infos) is not None


def ranked(infos: Sequence[RunInfo]) -> list[RunInfo]:
    """Runs from the best to the worst: the trials of a sweep by its objective, others by optimality, and where none
    has one by value; those without come last."""
    sweep = goals.sweep_of(infos)
    spec = goals.spec_of_sweep(sweep) if sweep else None
    if spec is not None:
        return goals.ranked_by(infos, spec.goal)
    fact = "optimality" if any(info.optimality is not None for info in infos) else "value_mean"
    values = [(getattr(info, fact), info) for info in infos]
    return [
        info for _, info in sorted(values, key=lambda pair: -math.inf if pair[0] is None else pair[0], reverse=True)
    ]


def states_of(infos: Sequence[RunInfo]) -> str:
    """The states of some runs in words: finished, or 3 training, 2 finished."""
    counts: dict[str, int] = {}
    for info in infos:
        counts[word(info.state)] = counts.get(word(info.state), 0) + 1
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {state}" for state, count in counts.items())
