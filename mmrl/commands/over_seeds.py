"""What `mmrl evaluate` says of a group of runs: its figures over the seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from mmrl.plots.numbers import amount
from mmrl.plots.table import Column, table
from mmrl.plots.text import wrapped
from mmrl.runs import groups
from mmrl.runs.listing import RunInfo, find_run
from mmrl.settings.errors import ConfigError, note

FIGURES = {"value_mean": "value", "optimality": "optimality", "exact_ce": "exact CE", "ce": "CE"}
"""That are told of a group, with their titles."""


def runs_of(name: str, results: str) -> tuple[list[RunInfo], bool]:
    """The run of a name, or the runs of a group that have finished an epoch (of a sweep its best one), and whether
    they are a group."""
    found = groups.members(name, results)
    if not found:
        return [find_run(name, results)], False
    trained = [info for info in found if info.epoch]
    if not trained:
        raise ConfigError(f"no run of the group {name} has finished an epoch: train it first")
    if groups.is_sweep(found):
        best = groups.ranked(trained)[0]
        note(f"{name} is a sweep: {best.name} is the best of its trials")
        return [best], False
    if len(trained) < len(found):
        note(f"{name}: of {len(found)} runs {len(found) - len(trained)} have not finished an epoch and are left out")
    return trained, True


def over_seeds(group: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A group's figures over its seeds, ready for JSON: mean with its 95 % interval by Student's t, interquartile mean
    with a stratified bootstrap interval (one market is one stratum); None where a run lacks the figure."""
    import numpy as np

    from mmrl.statistics.seeds import bootstrap_interval, mean_half

    found: dict[str, Any] = {"group": group, "runs": len(rows)}
    for key in FIGURES:
        values = [row[key] for row in rows]
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            found[key] = None
            continue
        mean, half = mean_half(values)
        iqm, low, high = bootstrap_interval([np.array(values, float)])
        known = math.isfinite(half)
        found[key] = {
            "mean": mean,
            "mean_ci": [mean - half, mean + half] if known else None,
            "iqm": iqm,
            "iqm_ci": [low, high] if known else None,
        }
    return found


def lines_of(found: Sequence[dict[str, Any]], width: int) -> Iterator[str]:
    """The table over seeds: a row for each figure of each group."""
    rows = []
    for group in found:
        for key, title in FIGURES.items():
            if group[key] is None:
                continue
            scale, unit = (100, " %") if key == "optimality" else (1, "")
            numbers = {name: _scaled(value, scale) for name, value in group[key].items()}
            mean, ends = numbers["mean_ci"], numbers["iqm_ci"]
            half = None if mean is None else (mean[1] - mean[0]) / 2
            wide = None if ends is None else (ends[1] - ends[0]) / 2
            iqm, low, high = (
                "" if value is None else amount(value, wide).partition(" ±")[0] + unit
                for value in (numbers["iqm"], *(ends or (None, None)))
            )
            shown = amount(numbers["mean"], half).replace(" ±", f"{unit} ±") + unit
            rows.append((group["group"], str(group["runs"]), title, shown, iqm, low, high))
    heads = [Column("group", "label"), Column("runs"), Column("figure", "label")]
    heads += [Column(name) for name in ("mean", "IQM", "from", "to")]
    yield from table(heads, rows, width, "over seeds (± by Student's t; IQM: interquartile mean)")
    yield from wrapped("from and to: 95 % interval of the IQM by stratified bootstrap over the seeds", width, "  ")


def _scaled(value: Any, scale: float) -> Any:
    if isinstance(value, list):
        return [scale * each for each in value]
    return None if value is None else scale * value
