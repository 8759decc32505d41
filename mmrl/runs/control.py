"""control.json: what whoever watches a run wants of it; the trainer reads it between epochs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write, read_plain
from mmrl.runs.sealed import seal, unseal

WANTED = ("run", "pause", "stop")
LIVE = {"lr": (0.0, 1.0), "entropy": (0.0, 10.0)}


def request(folder: Path, want: str, **live: float) -> None:
    """Ask the trainer to run, pause or stop, and for new values of live-editable settings."""
    if want not in WANTED:
        raise ValueError(f"control {want!r} is not one of {', '.join(WANTED)}")
    for name, value in live.items():
        if name not in LIVE:
            raise ValueError(f"{name} cannot be changed while training, only {' and '.join(LIVE)} can")
        low, high = LIVE[name]
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"{name} = {value} is not between {low} and {high}")
    values = {**read_control(folder)["set"], **live}
    durable_write(folder / "control.json", seal({"want": want, "set": values}))


def read_control(folder: Path) -> dict[str, Any]:
    """The wanted state and values; a missing or broken file, or a value out of bounds, wants nothing."""
    try:
        control = unseal(read_plain(folder / "control.json"))
    except (OSError, ValueError):
        control = {}
    want = control.get("want") if control.get("want") in WANTED else "run"
    given: Any = control.get("set")
    if not isinstance(given, dict):
        given = {}
    live = {
        name: float(given[name])
        for name, (low, high) in LIVE.items()
        if isinstance(given.get(name), int | float) and low <= given[name] <= high
    }
    return {"want": want, "set": live}
