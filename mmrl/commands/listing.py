"""Lists of runs and single runs as text or JSON."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.runs.store import RunInfo

COLUMNS = ("name", "state", "epoch", "market", "algorithm", "value", "optimality", "steps/s", "updated")


def as_row(info: RunInfo) -> dict[str, Any]:
    """What is known of a run, fit for JSON: paths as text, non-finite numbers as null."""
    return {key: _plain(value) for key, value in vars(info).items()}


def print_runs(runs: Sequence[RunInfo], results: str, as_json: bool) -> None:
    """Print runs as a table, or as one JSON array."""
    if as_json:
        print(json.dumps([as_row(info) for info in runs]))
        return
    if not runs:
        print(f"no runs in {results}: start one with mmrl train --preset quickstart")
        return
    rows = [COLUMNS, *(_cells(as_row(info)) for info in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_run(info: RunInfo, as_json: bool) -> None:
    """Print all that is known of one run, one line a fact."""
    row = as_row(info)
    if as_json:
        print(json.dumps(row))
        return
    for key, value in row.items():
        if value is not None and value != "":
            print(f"{key:<18}{_time(value) if key in ('started', 'updated') else value}")


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    value, error, speed = row.get("value_mean"), row.get("value_se"), row.get("steps_per_second")
    shown = "" if value is None else f"{value:,.1f}" + ("" if error is None else f" ± {error:,.1f}")
    return (
        str(row["name"]),
        str(row["state"]),
        f"{row['epoch']}/{row['target']}",
        str(row["market"] or ""),
        str(row["algorithm"] or ""),
        shown,
        "" if row.get("optimality") is None else f"{100 * row['optimality']:.2f} %",
        "" if speed is None else f"{speed:,.0f}",
        _time(row["updated"]),
    )


def _time(moment: Any) -> str:
    if isinstance(moment, int | float):
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
    return str(moment or "")
