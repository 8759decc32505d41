"""One trainer a run: an flock that the kernel frees the moment its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import weakref
from pathlib import Path
from typing import Any

PATIENCE = 0.2  # seconds; a look by is_locked() takes microseconds and must not pass for a trainer


class RunBusy(RuntimeError):
    """Another process trains this run; the message names its pid and host."""


class RunLock:
    """Holds the lock of a run folder for the length of a with block. Raises RunBusy when it is taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # whoever renames the folder says so here; the lock goes with it
        self.descriptor = -1
        _ALL.add(self)

    def __enter__(self) -> RunLock:
        return self if self.descriptor >= 0 else self.take()

    def take(self) -> RunLock:
        """Take the lock, to be given back by release() or by the end of a with block."""
        self.path = self.folder / "lock"
        try:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except FileNotFoundError:
            raise RunBusy(f"run {self.path.parent.name} was moved by another process") from None
        try:
            if not self._taken():
                owner = os.read(self.descriptor, 4096).decode("utf-8", "replace")
                raise RunBusy(f"run {self.path.parent.name} is in use {_named(owner)}: wait or stop it")
            if not self._still_there():
                raise RunBusy(f"run {self.path.parent.name} was moved by another process")
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        except BaseException:
            self.release()
            raise
        return self

    def release(self) -> None:
        """Give the lock back."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1

    def _still_there(self) -> bool:
        """Whether the path still leads to the file that was locked: its run may have been renamed meanwhile."""
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


def _let_go_in_child() -> None:
    for lock in list(_ALL):
        lock.release()


# An flock belongs to the open file, which a forked worker shares: it would hold the run of a trainer that has died.
# Closing the worker's copy leaves the trainer's lock as it is; programs that are started get none in the first place.
os.register_at_fork(after_in_child=_let_go_in_child)


def _named(owner: str) -> str:
    try:
        facts = json.loads(owner)
        return f"by process {int(facts['pid'])} on {str(facts['host'])!r}"
    except (ValueError, KeyError, TypeError):
        return "by another process"


def is_locked(folder: Path) -> bool:
    """Whether some process trains the run right now."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
