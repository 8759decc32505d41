"""Threads that help: they play, sleep, wake, end, and what goes wrong in them is raised where it was called."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

import pytest
from numba import njit

from mmrl.gym.threads import Helpers
from mmrl.kernels.shares import PLAYING, add_at_once, counters_of


@njit
def add(counters, count):  # type: ignore[no-untyped-def]
    add_at_once(counters, PLAYING, count)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_they_sleep_and_wake() -> None:
    calls: list[int] = []
    helpers = Helpers(2, lambda thread: calls.append(thread), counters_of(3, 3))
    until(lambda: helpers.asleep == 2)
    assert sorted(calls) == [1, 2]
    for times in (2, 3):
        helpers.wake()
        until(lambda: len(calls) == 2 * times and helpers.asleep == 2)  # noqa: B023 - called at once
    assert sorted(calls) == [1, 1, 1, 2, 2, 2]
    helpers.wait()
    helpers.close()
    assert not any(thread.is_alive() for thread in helpers.threads)
    helpers.close()


def test_the_caller_waits_for_them() -> None:
    counters = counters_of(2, 2)
    free = threading.Event()

    def play(thread: int) -> None:
        add(counters, 1)
        free.wait()
        add(counters, -1)

    helpers = Helpers(1, play, counters)
    until(lambda: counters[PLAYING] == 1)
    waiting = threading.Thread(target=helpers.wait)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    free.set()
    waiting.join(20)
    assert not waiting.is_alive()
    helpers.close()


def test_an_error_is_raised_where_it_was_called() -> None:
    counters = counters_of(2, 2)
    calls: list[int] = []

    def play(thread: int) -> None:
        calls.append(thread)
        if len(calls) == 1:
            add(counters, 1)  # it has begun
            raise MemoryError("no room")

    helpers = Helpers(1, play, counters)
    until(lambda: helpers.asleep == 1)
    with pytest.raises(MemoryError, match="no room"):
        helpers.wait()
    helpers.wait()  # once
    assert len(calls) == 2 and counters[PLAYING] == 0
    helpers.close()


def test_they_end_with_what_they_help() -> None:
    helpers = Helpers(2, lambda thread: None, counters_of(3, 3))
    threads = helpers.threads
    del helpers
    gc.collect()
    until(lambda: not any(thread.is_alive() for thread in threads))
