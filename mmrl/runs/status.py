"""status.json: what state a run is in, replaced as a whole at every change."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write, read_plain
from mmrl.runs.checksum import seal, unseal
from mmrl.runs.history import plain
from mmrl.runs.lock import is_locked

UNFINISHED = ("starting", "running", "pausing", "paused", "stopping")
STATES = (*UNFINISHED, "finished", "failed", "diverged", "interrupted", "crashed")


def write_status(folder: Path, state: str, **facts: Any) -> None:
    """Write the state with pid, host and time; facts already there are kept unless given anew."""
    status = {**_facts(folder), "state": state, "pid": os.getpid(), "host": socket.gethostname(), **facts}
    status.setdefault("started", time.time())
    status["updated"] = time.time()
    durable_write(folder / "status.json", seal(plain(status)))


def read_raw(folder: Path) -> dict[str, Any]:
    """The file as it stands; empty when missing or broken."""
    try:
        return _facts(folder)
    except OSError:
        return {}


def _facts(folder: Path) -> dict[str, Any]:
    """What the file says; raises OSError when the disk fails, for then nothing may be written over it."""
    try:
        return unseal(read_plain(folder / "status.json"))
    except (FileNotFoundError, ValueError):
        return {}


def read_status(folder: Path) -> dict[str, Any]:
    """The status, with state `crashed` where the run is unfinished and nobody holds its lock."""
    status = read_raw(folder)
    if status.get("state") in UNFINISHED and not is_locked(folder):
        status = {**read_raw(folder)}  # it may have finished between the two looks
        if status.get("state") in UNFINISHED and not is_locked(folder):
            status["state"] = "crashed"
    return status
