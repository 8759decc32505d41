"""One trainer per run: an flock, which the kernel releases when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import weakref
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import BrokenRun, open_plain

LOCK = "lock"
HANDED = "MMRL_LOCK"
"""Environment variable: the descriptor of the lock that the process which started this one has handed over."""
PATIENCE = 0.2  # seconds; is_locked() holds the lock for microseconds and must not be taken for a trainer


class RunBusy(RuntimeError):
    """Another process trains this run; the message gives its pid and host."""


class RunLock:
    """Holds the lock of a run folder for the length of a with block.

    Raises RunBusy when it is taken, BrokenRun where its file is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # to be updated by a rename of the folder; the lock file moves with it
        self.descriptor = -1
        _ALL.add(self)

    def __enter__(self) -> RunLock:
        return self if self.descriptor >= 0 else self.take()

    @property
    def path(self) -> Path:
        """The file of the lock."""
        return self.folder / LOCK

    def take(self) -> RunLock:
        """Take the lock; release() or the end of a with block frees it."""
        try:
            self.descriptor = self._handed_over() or open_plain(self.path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            raise RunBusy(f"run {self.path.parent.name} was moved by another process") from None
        try:
            if not self._taken():
                owner = os.read(self.descriptor, 4096).decode("utf-8", "replace")
                raise RunBusy(f"run {self.path.parent.name} is in use {_process(owner)}: wait for it or stop it")
            if not self._still_there():
                raise RunBusy(f"run {self.path.parent.name} was moved by another process")
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        except BaseException:
            self.release()
            raise
        return self

    def hand_over(self) -> dict[str, str]:
        """The variable for a process that is to have the lock from its start: pass it the descriptor, then release."""
        return {HANDED: str(self.descriptor)}

    def _handed_over(self) -> int | None:
        """The descriptor of this lock that this process was started with, if it was."""
        given = os.environ.get(HANDED, "")
        if not (given.isascii() and given.isdecimal() and len(given) < 10):
            return None
        try:
            if os.path.samestat(os.fstat(int(given)), os.lstat(self.path)):
                del os.environ[HANDED]
                os.set_inheritable(int(given), False)
                return int(given)
        except OSError:
            pass  # another descriptor by now, or no such lock
        return None

    def release(self) -> None:
        """Free the lock, unless another process has been handed it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1

    def _still_there(self) -> bool:
        """Whether the path is still that of the locked file: the run may have been renamed meanwhile."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.lstat(self.path))
        except FileNotFoundError:
            return False

    def _taken(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)

    def __exit__(self, *exc: Any) -> None:
        self.release()


_ALL: weakref.WeakSet[RunLock] = weakref.WeakSet()


def _release_in_child() -> None:
    for lock in list(_ALL):
        lock.release()


# An flock belongs to the open file, which a forked worker shares: it would keep the lock of a trainer that has died.
# Closing the worker's copy does not free the trainer's lock; programs started by exec do not inherit the descriptor.
os.register_at_fork(after_in_child=_release_in_child)


def _process(owner: str) -> str:
    try:
        facts = json.loads(owner)
        return f"by process {int(facts['pid'])} on {str(facts['host'])!r}"
    except (ValueError, KeyError, TypeError):
        return "by another process"


def still_held(folder: Path) -> bool:
    """Whether the lock that this process has of a run, if any, is that of the file which others find there."""
    return all(lock._still_there() for lock in _ALL if lock.descriptor >= 0 and lock.folder == folder)


def is_locked(folder: Path) -> bool:
    """Whether a process trains the run now."""
    try:
        descriptor = open_plain(folder / LOCK)
    except (OSError, BrokenRun):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
