"""control.json: the request that a user makes of a run in training; the trainer reads it between epochs.

The id of a request is the beginning of the SHA-256 of the file. The trainer acknowledges a request that it has
carried out by writing its id into status.json: a request with another id is still open, and one that an earlier
process carried out is not carried out again.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write, read_plain
from mmrl.runs.checksum import sha256, verified, with_checksum
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import field, value_of
from mmrl.settings.sources import nested

ACTIONS = ("run", "pause", "stop")
LIVE = {"lr": "training.lr", "entropy": "training.entropy", "ne": "training.ne", "plot_after": "run.plot_after"}
"""Settings that can be changed while a run trains: name -> key."""
LABELS = {"lr": "learning rate", "entropy": "entropy", "ne": "target", "plot_after": "plot after"}


def request(folder: Path, want: str, **live: float) -> None:
    """Ask the trainer to run, pause or stop, and for new values of settings in LIVE. Raises ValueError."""
    if want not in ACTIONS:
        raise ValueError(f"control {want!r} is not one of {', '.join(ACTIONS)}")
    values = {**read_control(folder)["set"], **{name: checked(name, value) for name, value in live.items()}}
    # the time gives every request an id of its own, so that the same request can be made twice
    durable_write(folder / "control.json", with_checksum({"want": want, "set": values, "asked": time.time_ns()}))


def checked(name: str, value: Any) -> Any:
    """A new value of a setting in LIVE, converted to its type. Raises ConfigError."""
    if name not in LIVE:
        raise ConfigError(f"{name} cannot be changed while training; these can: {', '.join(LIVE)}")
    spec = field(LIVE[name])
    if spec.kind == "int" and isinstance(value, float) and value.is_integer():
        value = int(value)
    return value_of(build(nested({spec.key: value})), spec)


def read_request(folder: Path) -> tuple[dict[str, Any], str]:
    """The requested action (`want`) and values (`set`), and the id of the request; without a file there is no request
    and the id is empty.

    A broken file, or a value out of bounds, requests nothing either.
    """
    try:
        data = read_plain(folder / "control.json")
    except (OSError, ValueError):
        return {"want": "run", "set": {}}, ""
    want, values = _parsed(data)
    return {"want": want, "set": dict(values)}, sha256(data)[:16]


@lru_cache(maxsize=16)
def _parsed(data: bytes) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """What a file requests; cached, because it is read after every epoch and seldom changes."""
    try:
        control = verified(data)
    except ValueError:
        control = {}
    want = control.get("want") if control.get("want") in ACTIONS else "run"
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
    """The requested action (`want`) and values (`set`)."""
    return read_request(folder)[0]


def clear_request(folder: Path) -> None:
    """Withdraw the request."""
    (folder / "control.json").unlink(missing_ok=True)
