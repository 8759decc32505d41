"""Threads that work beside the thread that calls: they play copies of an environment, or sum gradients.

After a call a helper looks for the next one in compiled code for a moment, since to wake a thread can take as long as
a call; then it sleeps until it is woken. The caller holds no lock that a signal (Ctrl-C) could leave behind.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, current_thread

import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import kernel
from mmrl.kernels.shares import CLOSED, playing_of, put_at_once, wait_for_helpers

LONGEST_END = 10.0
"""Seconds that a helper may take to end before it is left to end with the process."""


@kernel
def put(counters, place, number):  # type: ignore[no-untyped-def]
    """put_at_once(), as Python calls it."""
    put_at_once(counters, place, number)


@kernel
def wait(counters):  # type: ignore[no-untyped-def]
    """wait_for_helpers(), as Python calls it."""
    wait_for_helpers(counters)


class _Room:
    """What helpers and the thread that calls share; entry k - 1 of a list is that of thread k."""

    def __init__(self, number: int, counters: npt.NDArray[np.int64]) -> None:
        self.counters = counters
        self.asleep = [False] * number
        self.bells: list[SimpleQueue[None]] = [SimpleQueue() for _ in range(number)]
        self.errors: list[BaseException] = []
        self.process = os.getpid()

    def ring(self, only_asleep: bool = True) -> None:
        for asleep, bell in zip(self.asleep, self.bells, strict=True):
            if asleep or not only_asleep:
                bell.put(None)


class Helpers:
    """`number` threads; each calls `play(thread)`, which returns when it has looked long for copies in vain."""

    def __init__(self, number: int, play: Callable[[int], object], counters: npt.NDArray[np.int64]) -> None:
        self._room = room = _Room(number, counters)
        given = [(room, play, thread) for thread in range(1, number + 1)]
        # they know nothing of this object, which ends them when it is no longer used
        self.threads = [Thread(target=_help, args=each, daemon=True) for each in given]
        self._end = weakref.finalize(self, _end, room, self.threads)
        for thread in self.threads:
            thread.start()

    @property
    def asleep(self) -> int:
        """How many sleep."""
        return sum(self._room.asleep)

    def wake(self) -> None:
        """Those that sleep look for work again."""
        if os.getpid() != self._room.process:  # a forked child has none of the threads, whatever they were at
            for thread in range(1, len(self.threads) + 1):
                put(self._room.counters, playing_of(thread), 0)
            return
        self._room.ring()

    def wait(self) -> None:
        """Return when none plays."""
        wait(self._room.counters)

    def require_sound(self) -> None:
        """Raise what a helper raised."""
        if self._room.errors:
            raise self._room.errors.pop()

    def close(self) -> None:
        """End the threads."""
        self._end()


def _help(room: _Room, play: Callable[[int], object], thread: int) -> None:
    while not room.counters[CLOSED]:
        try:
            play(thread)
        except BaseException as error:
            room.errors.append(error)
            put(room.counters, playing_of(thread), 0)
        room.asleep[thread - 1] = True
        room.bells[thread - 1].get()
        room.asleep[thread - 1] = False


def _end(room: _Room, threads: list[Thread]) -> None:
    room.counters[CLOSED] = 1
    room.ring(only_asleep=False)
    if os.getpid() == room.process:
        for thread in threads:
            if thread.ident is not None and thread is not current_thread():  # it was started; it may collect garbage
                thread.join(LONGEST_END)
