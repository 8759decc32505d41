"""control.json: what whoever watches a run wants of it; the trainer reads it between epochs.

A trainer notes in status.json (`obeyed`) the mark of the file that it has carried out: what is still marked
otherwise waits, and what another process carried out is not carried out again.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write, read_plain
from mmrl.runs.checksum import seal, sha256, unseal
from mmrl.settings.build import build
from mmrl.settings.declare import ConfigError
from mmrl.settings.fields import field, value_of
from mmrl.settings.sources import nested

WANTED = ("run", "pause", "stop")
LIVE = {"lr": "training.lr", "entropy": "training.entropy", "ne": "training.ne", "plot_after": "run.plot_after"}
"""Settings that can be changed while a run trains: name -> key."""
LABELS = {"lr": "learning rate", "entropy": "entropy", "ne": "target", "plot_after": "plot after"}


def request(folder: Path, want: str, **live: float) -> None:
    """Ask the trainer to run, pause or stop, and for new values of live-editable settings. Raises ValueError."""
    if want not in WANTED:
        raise ValueError(f"control {want!r} is not one of {', '.join(WANTED)}")
    values = {**read_control(folder)["set"], **{name: checked(name, value) for name, value in live.items()}}
    # the time makes every request another one, so that the same wish can be carried out twice
    durable_write(folder / "control.json", seal({"want": want, "set": values, "asked": time.time_ns()}))


def checked(name: str, value: Any) -> Any:
    """A new value of a live-editable setting as the settings would hold it. Raises ConfigError."""
    if name not in LIVE:
        raise ConfigError(f"{name} cannot be changed while training: what can is {', '.join(LIVE)}")
    spec = field(LIVE[name])
    if spec.kind == "int" and isinstance(value, float) and value.is_integer():
        value = int(value)
    return value_of(build(nested({spec.key: value})), spec)


def read_wish(folder: Path) -> tuple[dict[str, Any], str]:
    """The wanted state and values, and the mark of the file; without a file nothing is wanted and the mark is empty.

    A broken file, or a value out of bounds, wants nothing either.
    """
    try:
        data = read_plain(folder / "control.json")
    except (OSError, ValueError):
        return {"want": "run", "set": {}}, ""
    want, values = _parsed(data)
    return {"want": want, "set": dict(values)}, sha256(data)[:16]


@lru_cache(maxsize=16)
def _parsed(data: bytes) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """What a file says; kept, as it is looked at after every epoch and seldom changes."""
    try:
        control = unseal(data)
    except ValueError:
        control = {}
    want = control.get("want") if control.get("want") in WANTED else "run"
    given: Any = control.get("set")
    live = {}
    for name in LIVE if isinstance(given, dict) else ():
        if name in given and not isinstance(given[name], bool):
            try:
                live[name] = checked(name, given[name])
            except ValueError:
                continue
    return str(want), tuple(live.items())


def read_control(folder: Path) -> dict[str, Any]:
    """The wanted state (`want`) and values (`set`)."""
    return read_wish(folder)[0]


def forget(folder: Path) -> None:
    """Want nothing any more."""
    (folder / "control.json").unlink(missing_ok=True)
