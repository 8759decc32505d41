"""The epochs of several runs of a group as those of one: means over the runs with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.runs.history import read_metrics
from mmrl.statistics.seeds import mean_half

LEFT_OUT = ("epoch", "trajectories", "wall")
"""What has no mean over runs."""
OF_ONE_RUN = ("_std", "_half", "_q10", "_q90", "_se")
"""Endings of what tells of the trajectories of one run."""


@dataclass(frozen=True)
class Together:
    """Runs of a group that are drawn as one curve."""

    group: str
    folders: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The group with the number of its runs."""
        return f"{self.group} ({len(self.folders)} run{'s' * (len(self.folders) > 1)})"

    @property
    def parent(self) -> Path:
        """The folder of the runs."""
        return self.folders[0].parent

    def records(self) -> list[dict[str, Any]]:
        """Its epochs."""
        return over_seeds([read_metrics(folder / "metrics.jsonl") for folder in self.folders])


def over_seeds(histories: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """For each epoch the means over the runs that have reached it, whose records are `histories`.

    The half of a metric's 95 % interval (`value_half`, `optimality_half`) is that of the mean over runs; what tells of
    the trajectories of one run (`value_std`, `value_q10`) is left out.
    """
    by_epoch: dict[int, list[Mapping[str, Any]]] = {}
    for history in histories:
        for record in history:
            if isinstance(record.get("epoch"), int):
                by_epoch.setdefault(record["epoch"], []).append(record)
    found = []
    for epoch, records in sorted(by_epoch.items()):
        merged: dict[str, Any] = {"epoch": epoch}
        for key in dict.fromkeys(key for record in records for key in record):
            numbers = [record[key] for record in records if _is_number(record.get(key))]
            if key in LEFT_OUT or key.endswith(OF_ONE_RUN) or not numbers:
                continue
            merged[key], half = mean_half(numbers)
            if math.isfinite(half):
                merged[f"{key.removesuffix('_mean')}_half"] = half
        found.append(merged)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
