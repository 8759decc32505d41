"""Copies that threads share: every one is taken once, each thread's own first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import numpy as np
import pytest
from numba import njit

from mmrl.kernels.shares import (
    FEW,
    LINE,
    add_at_once,
    are_left,
    begin,
    counters_of,
    end_of,
    next_few,
    next_of,
    playing_of,
    put_at_once,
    read_at_once,
    shares_of,
    wait_for_helpers,
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
    before = add_at_once(counters, 0, 3), put_at_once(counters, LINE, 7)
    return (*before, read_at_once(counters, 0), read_at_once(counters, LINE))


@njit(nogil=True)
def take_few(taken, thread, times, whose, sizes, least, most):  # type: ignore[no-untyped-def]
    while True:
        first, end = next_few(taken, thread, times.size, 0, least, most)
        if first >= times.size:
            break
        sizes[first] = end - first
        whose[first:end] = thread
        times[first:end] += 1


def ends_of(taken: np.ndarray) -> list[int]:
    """One beyond the last trajectory of each thread's share."""
    return [int(end) for end in taken[1::LINE]]


@pytest.mark.parametrize(("threads", "count", "together", "ends"), [
    (2, 100, 1, [50, 100]), (2, 100, 8, [48, 100]), (3, 100, 1, [33, 66, 100]), (4, 3, 1, [0, 1, 2, 3]), (1, 7, 8, [7]),
    (3, 7, 8, [0, 0, 7]),
])  # fmt: skip
def test_shares_are_alike_and_of_those_played_together_whole(
    threads: int, count: int, together: int, ends: list[int]
) -> None:
    taken = shares_of(threads, count, together)
    assert ends_of(taken) == ends
    assert taken[::LINE].tolist() == [0, *ends[:-1]]


def test_some_of_the_threads_have_all_shares() -> None:
    taken = shares_of(4, 20, 8, of=[1, 2])
    assert taken[::LINE].tolist() == [0, 0, 8, 0] and ends_of(taken) == [0, 8, 20, 0]
    assert next_few_playing(taken, 3, 20, 0) == (0, 1)  # one that has none helps the others
    assert are_left(taken)
    taken[LINE] = 8
    assert are_left(taken)
    taken[2 * LINE] = 20
    assert not are_left(taken) and next_few_playing(taken, 0, 20, 0) == (20, 20)
    taken[2 * LINE] = 25  # several threads have asked in vain
    assert not are_left(taken)


@pytest.mark.parametrize(
    ("playing", "left", "takes"), [(0, 1, True), (1, 1, False), (1, 2, True), (2, 2, False), (7, 8, True)]
)
def test_of_anothers_share_as_many_stay_as_the_thread_plays_already(playing: int, left: int, takes: bool) -> None:
    """So two threads that end at about the same time halve what is left."""
    taken = shares_of(2, 20)
    taken[0], taken[LINE] = taken[1], taken[LINE + 1] - left  # its own share is used up
    first, end = next_few_playing(taken, 0, 20, playing)
    assert (first, end) == ((20 - left, 21 - left) if takes else (20, 20))
    taken[0] = 9
    assert next_few_playing(taken, 0, 20, playing) == (9, 10)  # its own it takes whatever it plays


@njit
def next_few_playing(taken, thread, count, playing):  # type: ignore[no-untyped-def]
    return next_few(taken, thread, count, playing, 1, 1)


@pytest.mark.parametrize("together", [1, FEW])
@pytest.mark.parametrize(("least", "most"), [(1, 1), (1, FEW), (FEW, FEW)])
@pytest.mark.parametrize("count", [1, 2, FEW, 17, 16 * FEW + 1, MANY])
def test_every_trajectory_is_taken_once_and_fewer_at_once_towards_the_end(
    count: int, least: int, most: int, together: int
) -> None:
    times, whose, sizes = (np.zeros(count, np.int64) for _ in range(3))
    taken = shares_of(THREADS, count, together)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda k: take_few(taken, k, times, whose, sizes, least, most), range(THREADS)))
    assert (times == 1).all() and sizes.sum() == count
    assert sizes.max() <= most
    ends = ends_of(taken)
    for first in np.flatnonzero(sizes):
        end = min(e for e in ends if e > first)  # of the share
        # what another thread takes meanwhile makes what is left smaller than it was thought to be
        assert least <= sizes[first] or first + sizes[first] == end
        assert sizes[first] <= max((end - first + THREADS * FEW) // (2 * FEW), least)


@pytest.mark.parametrize("count", [3, 100, 1_000])
def test_alone_a_thread_takes_its_own_share_first_and_then_those_of_the_others_in_turn(count: int) -> None:
    times, whose, sizes = (np.zeros(count, np.int64) for _ in range(3))
    order: list[int] = []
    taken = shares_of(3, count)
    while (few := next_few_of(taken, 1, count))[0] < count:
        order += range(*few)
    ends = ends_of(taken)
    assert order == [*range(ends[0], ends[1]), *range(ends[1], count), *range(ends[0])]
    take_few(taken, 0, times, whose, sizes, 1, FEW)
    assert not times.any()


@njit
def next_few_of(taken, thread, count):  # type: ignore[no-untyped-def]
    return next_few(taken, thread, count, 0, 1, FEW)


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
    assert [int(counters[next_of(thread)]) for thread in range(3)] == [3, 6, 10]
    assert [place(thread) // LINE for thread in range(3) for place in (next_of, playing_of)] == [1, 2, 3, 4, 5, 6]


def test_a_counter_is_changed_and_read() -> None:
    counters = np.array([5] + [0] * 7 + [6])
    assert changed(counters) == (5, 6, 8, 7) and counters.tolist() == [8] + [0] * 7 + [7]


@njit(nogil=True)
def wait_and_put(counters):  # type: ignore[no-untyped-def]
    wait_for_helpers(counters)
    put_at_once(counters, 0, 1)


def test_helpers_that_play_are_waited_for() -> None:
    counters = counters_of(3, 9)
    counters[playing_of(2)] = 1
    wait_and_put(counters_of(3, 9))  # compiled
    waiting = Thread(target=wait_and_put, args=(counters,))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive() and counters[0] == 0
    counters[playing_of(2)] = 0
    waiting.join(20)
    assert not waiting.is_alive() and counters[0] == 1
