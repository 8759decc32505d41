"""How threads share trajectories, or copies of an environment, without waiting for each other.

Each plays its own share, then what is left of the others', the next few at once: its own share is the same at every
call, and what it needs is still in its cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

LINE = 8
"""Numbers of a line of a cache: counters lie apart, since threads would take a common line from each other."""
CLOSED = 0
"""Place of a number that is not 0 once the helping threads have to end."""
PATIENCE = 600_000
"""How often a helping thread looks for work before it leaves the processor to others: some 0.2 ms."""

_one_at_a_time = Lock()


def _add_alone(counters: Any, place: int, count: int) -> int:
    with _one_at_a_time:
        before = int(counters[place])
        counters[place] += count
        return before


def _put_alone(counters: Any, place: int, number: int) -> int:
    with _one_at_a_time:
        before = int(counters[place])
        counters[place] = number
        return before


def _read_alone(counters: Any, place: int) -> int:
    return int(counters[place])


def _address(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, values[0]).data
    return builder.gep(data, [context.cast(builder, values[1], signature.args[1], types.int64)])


def _changing(operation: str) -> Any:
    @intrinsic
    def change(typing: Any, counters: Any, place: Any, number: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given = context.cast(builder, values[2], signature.args[2], types.int64)
            return builder.atomic_rmw(operation, _address(context, builder, signature, values), given, "seq_cst")

        return types.int64(counters, place, number), code

    return change


@intrinsic
def _read(typing: Any, counters: Any, place: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load_atomic(_address(context, builder, signature, values), "seq_cst", 8)

    return types.int64(counters, place), code


_plain = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
add_at_once: Any = _add_alone if _plain else _changing("add")
"""Add to one of an array of int64, whatever other threads do to it; returns what stood there before."""
put_at_once: Any = _put_alone if _plain else _changing("xchg")
"""Put a number there, likewise."""
read_at_once: Any = _read_alone if _plain else _read
"""One of an array of int64 as it is now, and with it all that was written before it became so."""


def counters_of(threads: int, copies: int) -> npt.NDArray[np.int64]:
    """Counters of threads that share copies; all are taken until `begin`."""
    counters = np.zeros(LINE * (1 + 2 * threads), np.int64)
    for thread in range(threads):
        counters[next_of(thread)] = end_of(thread, threads, copies)
    return counters


FEW = 8
"""Trajectories that a thread takes at once, at most: what so many leave behind fills a line of the cache."""


def shares_of(threads: int, count: int, together: int = 1, of: Sequence[int] | None = None) -> npt.NDArray[np.int64]:
    """Counters of threads that share `count` trajectories, of which none is taken: for each thread the next of its
    share, and one beyond the last. Of those that are played so many together, a share has no remainder but the last.
    Only the threads `of` have a share, if they are given."""
    of = range(threads) if of is None else of
    counters = np.zeros(LINE * threads, np.int64)
    ends = [count * k // len(of) // together * together for k in range(len(of))] + [count]
    for k, thread in enumerate(of):
        counters[LINE * thread : LINE * thread + 2] = ends[k : k + 2]
    return counters


def are_left(counters: npt.NDArray[np.int64]) -> bool:
    """Whether there are trajectories that no thread has taken."""
    return bool((counters[::LINE] < counters[1::LINE]).any())


@njit(inline="always")
def next_few(counters, thread, count, playing, least, most):  # type: ignore[no-untyped-def]
    """The next few trajectories that no thread has taken, as (first, one beyond the last); count, count where none is
    left for this one, which is in the midst of `playing` others.

    Of the thread's own share, which is the same at every call: where it writes nobody else has written, whose cache
    would have to give it back. Then of the others', of which it leaves as many as it plays already. At most `most`, at
    least `least`, towards the end fewer, so that all threads end at about the same time.
    """
    threads = counters.shape[0] // LINE
    for k in range(threads):
        share = LINE * ((thread + k) % threads)
        end = counters[share + 1]
        left = end - read_at_once(counters, share)
        if left > (playing if k > 0 else 0):
            few = min(max(left // (2 * FEW), least), most)
            first = add_at_once(counters, share, few)
            if first < end:
                return first, min(first + few, end)
    return count, count


@njit(inline="always")
def threads_of(counters):  # type: ignore[no-untyped-def]
    """How many threads share."""
    return counters.shape[0] // LINE // 2


@njit(inline="always")
def next_of(thread):  # type: ignore[no-untyped-def]
    """Place of the next copy of a thread's share."""
    return LINE * (1 + 2 * thread)


@njit(inline="always")
def playing_of(thread):  # type: ignore[no-untyped-def]
    """Place of a number that is not 0 while a helping thread plays."""
    return LINE * (2 + 2 * thread)


@njit(inline="always")
def end_of(thread, threads, copies):  # type: ignore[no-untyped-def]
    """One beyond the last copy of a thread's share."""
    return copies * (thread + 1) // threads


@njit(inline="always")
def begin(counters, copies):  # type: ignore[no-untyped-def]
    """No copy is taken any more."""
    threads = threads_of(counters)
    for thread in range(threads):
        put_at_once(counters, next_of(thread), copies * thread // threads)


@njit(inline="always")
def wait_for_helpers(counters):  # type: ignore[no-untyped-def]
    """Return when none of the helping threads, 1 and above, plays."""
    for thread in range(1, threads_of(counters)):
        while read_at_once(counters, playing_of(thread)) != 0:
            pass
