"""Start training in a separate process; its output goes to the log of the run, never to this terminal."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.runs.processes import environment, python


class NotStarted(RuntimeError):
    """The command failed; the message is its one-line reason."""


def start(arguments: Sequence[str], results: Path) -> dict[str, Any]:
    """Run `mmrl train ... --detach`; returns its JSON output, with the pid of the new process. Raises NotStarted."""
    command = [*python(), "train", *arguments, "--results", str(results), "--detach", "--json"]
    variables = {key: value for key, value in environment().items() if key not in ("COLUMNS", "LINES")}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            start_new_session=True,
            env=variables,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotStarted(str(error)) from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"mmrl train ended with {done.returncode}"]
        raise NotStarted(lines[-1].removeprefix("mmrl: "))
    try:
        started = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    if not isinstance(started, dict):
        return {}
    _await_run(started)
    return started


def _await_run(started: dict[str, Any], timeout: float = 20.0) -> None:
    """Wait until the new process writes to the log of its run. Raises NotStarted if it ends before."""
    pid, log = started.get("pid"), Path(str(started.get("log", "")))
    deadline = time.monotonic() + timeout
    while isinstance(pid, int) and log.is_file() and time.monotonic() < deadline:
        if not _alive(pid):
            try:
                lines = log.read_text(errors="replace").strip().splitlines()
                log.unlink()
            except OSError:
                return
            raise NotStarted(lines[-1].removeprefix("mmrl: ") if lines else "the process ended before training began")
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    # a process that has ended keeps its pid until its parent waits for it
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def shown(arguments: Sequence[str], results: Path | str = "results") -> str:
    """The command as the user would type it."""
    place = [] if str(results) == "results" else ["--results", str(results)]
    return shlex.join(["mmrl", "train", *arguments, *place])
