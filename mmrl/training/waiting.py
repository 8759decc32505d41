"""Runs that wait until others have ended: locked, so that nobody else trains, moves or removes them meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from mmrl.runs import control
from mmrl.runs.lock import RunLock
from mmrl.runs.status import WAITING, write_status


class Waiting:
    """Such runs, first come first served. What `mmrl runs` asks of them they do when their turn comes."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Raises RunBusy where another process has one of them."""
        self._locks = deque[RunLock]()
        try:
            for folder in folders:
                self._locks.append(RunLock(folder).take())
            for lock in self._locks:
                _withdraw(lock.folder)  # an older wish to stop must not stop a new beginning
                write_status(lock.folder, WAITING, error=None)
        except BaseException:
            self.leave()
            raise

    def __len__(self) -> int:
        return len(self._locks)

    def next(self) -> tuple[RunLock, bool]:
        """The lock of the run whose turn it is, and whether it is to be trained; else it has been asked to stop."""
        lock = self._locks.popleft()
        if control.read_control(lock.folder)["want"] != "stop":
            return lock, True
        _rest(lock)
        return lock, False

    def leave(self) -> None:
        """Let the runs rest whose turn has not come."""
        while self._locks:
            _rest(self._locks.popleft())


def _rest(lock: RunLock) -> None:
    try:
        _withdraw(lock.folder)
        write_status(lock.folder, "interrupted")
    finally:
        lock.release()


def _withdraw(folder: Path) -> None:
    """Withdraw a wish to pause or to stop; values that were asked for stay."""
    wished = control.read_control(folder)
    if wished["want"] != "run":
        control.request(folder, "run")
