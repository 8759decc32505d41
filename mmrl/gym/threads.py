"""Threads that play copies beside the thread that calls.

After a call a helper looks for the next one in compiled code for a moment, since to wake a thread can take as long as
a call; then it sleeps until it is woken.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from threading import Condition, Thread

import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import kernel
from mmrl.kernels.shares import PATIENCE, PLAYING, add_at_once, read_at_once


@kernel
def _all_ended(counters, looks):  # type: ignore[no-untyped-def]
    while looks > 0 and read_at_once(counters, PLAYING) > 0:
        looks -= 1
    return looks > 0


@kernel
def _leaves(counters):  # type: ignore[no-untyped-def]
    add_at_once(counters, PLAYING, -1)


class _Room:
    """What helpers and the thread that calls share."""

    def __init__(self, counters: npt.NDArray[np.int64]) -> None:
        self.counters = counters
        self.changed = Condition()
        self.asleep = 0
        self.closed = False
        self.errors: list[BaseException] = []


class Helpers:
    """`number` threads; each calls `play(thread)`, which returns when it has looked long for copies in vain."""

    def __init__(self, number: int, play: Callable[[int], object], counters: npt.NDArray[np.int64]) -> None:
        self._room = room = _Room(counters)
        given = [(room, play, thread) for thread in range(1, number + 1)]
        # they know nothing of this object, which ends them when it is no longer used
        self.threads = [Thread(target=_help, args=each, daemon=True) for each in given]
        for thread in self.threads:
            thread.start()
        self._end = weakref.finalize(self, _end, room, self.threads)

    @property
    def asleep(self) -> int:
        """How many sleep."""
        return self._room.asleep

    def wake(self) -> None:
        """Those that sleep look for work again."""
        if self.asleep:
            with self._room.changed:
                self._room.changed.notify_all()

    def wait(self) -> None:
        """Return when none plays; raises what a helper raised."""
        while not _all_ended(self._room.counters, PATIENCE):
            time.sleep(0)
        if self._room.errors:
            raise self._room.errors.pop()

    def close(self) -> None:
        """End the threads."""
        self._end()


def _help(room: _Room, play: Callable[[int], object], thread: int) -> None:
    while not room.closed:
        try:
            play(thread)
        except BaseException as error:
            room.errors.append(error)
            _leaves(room.counters)
            continue
        with room.changed:
            room.asleep += 1
            if not room.closed:
                room.changed.wait()
            room.asleep -= 1


def _end(room: _Room, threads: list[Thread]) -> None:
    with room.changed:
        room.closed = True
        room.changed.notify_all()
    for thread in threads:
        thread.join()
