"""status.json: the state of a run, rewritten as a whole at every change."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write, read_plain
from mmrl.runs.checksum import verified, with_checksum
from mmrl.runs.encoding import plain
from mmrl.runs.lock import is_locked

STATUS = "status.json"
UNFINISHED = ("waiting", "starting", "running", "pausing", "paused", "stopping")
STATES = (*UNFINISHED, "finished", "failed", "diverged", "interrupted", "crashed", "pruned")
WAITING = "waiting"
"""State of a run of a group that another process, which has its lock, will start when others have ended."""
WORDS = {"running": "training", "interrupted": "stopped"}
"""States that are called otherwise where people read them; files and JSON have the state itself."""
ACKNOWLEDGED = "obeyed"
"""Key of the id of the request in control.json that the trainer has carried out."""


def word(state: str) -> str:
    """The word shown for a state, by every command and view."""
    return WORDS.get(state, state)


def write_status(folder: Path, state: str, **facts: Any) -> None:
    """Write the state with pid, host and time; other facts in the file are kept unless given again."""
    durable_write(folder / STATUS, status_text(folder, state, **facts))


def status_text(folder: Path, state: str, **facts: Any) -> bytes:
    """What write_status() would write."""
    status = {**_facts(folder), "state": state, "pid": os.getpid(), "host": socket.gethostname(), **facts}
    status.setdefault("started", time.time())
    status["updated"] = time.time()
    return with_checksum(plain(status))


def read_raw(folder: Path) -> dict[str, Any]:
    """The content of the file; empty when missing or broken."""
    try:
        return _facts(folder)
    except OSError:
        return {}


def _facts(folder: Path) -> dict[str, Any]:
    """The content of the file; raises OSError when the disk fails, because the file must then not be overwritten."""
    try:
        return verified(read_plain(folder / STATUS))
    except (FileNotFoundError, ValueError):
        return {}


def read_status(folder: Path) -> dict[str, Any]:
    """The status, with state `crashed` where the run is unfinished and no process holds its lock.

    One that only waited has lost nothing: it is interrupted.
    """
    status = read_raw(folder)
    if status.get("state") in UNFINISHED and not is_locked(folder):
        status = {**read_raw(folder)}  # it may have finished between the two reads
        if status.get("state") in UNFINISHED and not is_locked(folder):
            status["state"] = "interrupted" if status.get("state") == WAITING else "crashed"
    return status
