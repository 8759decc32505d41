"""Who works on a sweep: a folder with a lock for each worker, which the kernel frees when its process ends, however."""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path

from mmrl.runs.lock import RunBusy, RunLock, is_locked

WORKERS = "workers"
PATIENCE = 60.0
"""Seconds to wait for another worker that takes a trial: Optuna waits 30 for the lock of a journal whose owner died."""


class Workers:
    """The workers of a sweep, of which this process is one until it leaves."""

    def __init__(self, sweep: Path) -> None:
        """`sweep`: its folder, which exists. Folders of workers that were killed are removed."""
        self.sweep = sweep
        with self.alone():  # else a folder whose lock is not taken yet would be removed
            for place in (sweep / WORKERS).glob("*"):
                if not is_locked(place):
                    shutil.rmtree(place, ignore_errors=True)
            place = sweep / WORKERS / uuid.uuid4().hex
            place.mkdir(parents=True)
            self.own = RunLock(place).take()

    @property
    def name(self) -> str:
        """Of this worker."""
        return self.own.folder.name

    def alive(self, name: str) -> bool:
        """Whether a worker lives."""
        return bool(name) and is_locked(self.sweep / WORKERS / name)

    def others_work(self) -> bool:
        """Whether a worker beside this one lives."""
        return any(self.alive(place.name) for place in (self.sweep / WORKERS).glob("*") if place.name != self.name)

    def alone(self) -> RunLock:
        """The lock of the sweep's folder, waited for: nobody else begins to work or takes a trial meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return RunLock(self.sweep).take()
            except RunBusy:
                if time.monotonic() > deadline:
                    raise

    def leave(self) -> None:
        """Work no more."""
        self.own.release()
        shutil.rmtree(self.own.folder, ignore_errors=True)  # another worker that begins may be faster
