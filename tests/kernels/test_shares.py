"""Copies that threads share: every one is taken once, each thread's own first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from mmrl.kernels.shares import (
    LINE,
    PLAYING,
    add_at_once,
    begin,
    counters_of,
    end_of,
    next_of,
    put_at_once,
    read_at_once,
)

MANY, THREADS = 200_001, 4


@njit(nogil=True)
def take(counters, times, thread):  # type: ignore[no-untyped-def]
    for share in range(THREADS):
        whose = (thread + share) % THREADS
        while True:
            number = add_at_once(counters, next_of(whose), 1)
            if number >= end_of(whose, THREADS, MANY):
                break
            times[number] += 1


@njit
def open_again(counters):  # type: ignore[no-untyped-def]
    begin(counters, MANY)


@njit
def changed(counters):  # type: ignore[no-untyped-def]
    before = add_at_once(counters, PLAYING, 3), put_at_once(counters, LINE, 7)
    return (*before, read_at_once(counters, PLAYING), read_at_once(counters, LINE))


def test_every_copy_is_taken_once() -> None:
    counters, times = counters_of(THREADS, MANY), np.zeros(MANY, np.int64)
    take(counters, times, 0)
    assert not times.any()  # all are taken until it begins
    for _ in range(3):
        open_again(counters)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda thread: take(counters, times, thread), range(THREADS)))
    assert (times == 3).all()


def test_shares_follow_each_other() -> None:
    counters = counters_of(3, 10)
    assert [int(counters[next_of(thread)]) for thread in range(3)] == [3, 6, 10] and counters[PLAYING] == 0
    assert [next_of(thread) // LINE for thread in range(3)] == [1, 2, 3]


def test_a_counter_is_changed_and_read() -> None:
    counters = np.array([5] + [0] * 7 + [6])
    assert changed(counters) == (5, 6, 8, 7) and counters.tolist() == [8] + [0] * 7 + [7]
