"""Trainings as child processes: start them on their run folders, hear what they say, send them signals."""

from __future__ import annotations

import json
import os
import selectors
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mmrl.runs.following import CALLED, called
from mmrl.runs.lock import RunLock
from mmrl.runs.machine import cpus, memory
from mmrl.runs.memory import demand
from mmrl.runs.processes import environment, python
from mmrl.settings.model import Config
from mmrl.settings.variables import NO_SETTINGS, PREFIX

PIECE = 2**16


@dataclass
class _Child:
    process: subprocess.Popen[bytes]
    open: int = 2
    """Pipes that have not reached their end."""
    rest: dict[str, bytes] = field(default_factory=lambda: {"record": b"", "note": b""})


@dataclass(frozen=True)
class Heard:
    """Something that a child said: a `record` (JSON as a dict), a `note` (text), or that it `ended` (exit code)."""

    name: str
    kind: str
    what: Any


def side_by_side(config: Config, count: int, jobs: int = 0) -> tuple[int, int]:
    """How many of `count` trainings run at once, and threads of each: as many as fit in cores and memory.

    `jobs` is how many were asked for, 0: as many as fit.
    """
    cores = cpus()
    wanted = min(count, jobs or cores // (config.run.threads or 1) or 1)
    fit = max(int(memory() / demand(config).memory), 1)
    at_once = max(min(wanted, fit), 1)
    return at_once, config.run.threads or max(cores // at_once, 1)


class Children:
    """Trainings that this process has started and that have not ended.

    Each is a session of its own, so that a terminal's Ctrl-C reaches only this process, which passes it on once. They
    write to pipes of this process: when it is killed they stop after their epoch, as for any reader that leaves.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}

    def __len__(self) -> int:
        return len(self._children)

    def __contains__(self, name: str) -> bool:
        return name in self._children

    def start(self, name: str, lock: RunLock, options: Sequence[str] = ()) -> None:
        """Train a run to its target, whether it is new or not, with more `options` of mmrl train.

        Its lock is handed over: nobody else has the run at any time.
        """
        command = [*python(), "train", "--load", str(lock.folder.resolve()), "--json", *options]
        settings = {key for key in os.environ if key.startswith(PREFIX) and key not in NO_SETTINGS}
        variables = environment(**{CALLED: shlex.join(called())}, **lock.hand_over())
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            pass_fds=(lock.descriptor,), env={key: value for key, value in variables.items() if key not in settings},
        )  # fmt: skip
        lock.release()
        child = self._children[name] = _Child(process)
        for kind, pipe in (("record", process.stdout), ("note", process.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, (name, child, kind))

    def heard(self, seconds: float) -> Iterator[Heard]:
        """What the children have said, waiting at most so long for something."""
        for key, _ in self._selector.select(seconds):
            name, child, kind = key.data
            data = os.read(key.fd, PIECE)
            if not data:
                self._selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
                child.open -= 1
            *lines, child.rest[kind] = (child.rest[kind] + data).split(b"\n")
            for line in lines:
                yield from _told(name, kind, line.decode("utf-8", "replace"))
        for name, child in list(self._children.items()):
            if child.open == 0 and child.process.poll() is not None:
                del self._children[name]
                yield Heard(name, "ended", child.process.returncode)

    def send(self, number: int, name: str | None = None) -> None:
        """Send a signal to all children, or to one."""
        for own, child in self._children.items():
            if name in (None, own):
                with suppress(ProcessLookupError):
                    child.process.send_signal(number)


def killed(code: int) -> str:
    """In words, what the exit code of a child that a signal has killed means."""
    with suppress(ValueError):
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", often for lack of memory" if name == "SIGKILL" else "")
    return f"killed by signal {-code}"


def _told(name: str, kind: str, line: str) -> Iterator[Heard]:
    if kind == "note":
        # commands to type next are those of the group, and every training of it is begun as one that goes on
        if line and not line.startswith((" ", "resuming ")) and "is already at its target" not in line:
            yield Heard(name, "note", line.removeprefix("mmrl: "))
        return
    with suppress(ValueError, RecursionError):
        record = json.loads(line)
        if isinstance(record, dict):
            yield Heard(name, "record", record)
