"""Threads that stay: to start one takes longer than many a task."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from typing import TypeVar

from mmrl.runs.machine import cpus

Result = TypeVar("Result")
_pools: dict[int, ThreadPoolExecutor] = {}
_asked = threading.local()
"""Its `tasks`: what the calling thread has asked for by beside()."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # a child has none of the threads


@cache
def _all_cpus() -> int:
    """Asked once: limits stand in files, and to read them takes as long as a small rollout."""
    return cpus()


def thread_count(threads: int) -> int:
    """Threads to use: as asked, or one for each CPU that this process had when it was first asked."""
    return threads if threads > 0 else _all_cpus()


@contextmanager
def beside(task: Callable[[], None]) -> Iterator[None]:
    """Within, each() has this done once by a thread other than the calling one, before that takes its share, or first
    where there is none. What has not been done by the end is done then."""
    _asked.tasks = [task]
    try:
        yield
    finally:
        _do(_asked.tasks)


def _do(tasks: list[Callable[[], None]]) -> None:
    """Do what no other thread has begun."""
    try:
        task = tasks.pop()  # a single step of the interpreter
    except IndexError:
        return
    task()


def each(work: Callable[[int], Result], parts: int, threads: int) -> list[Result]:
    """[work(0), ..., work(parts - 1)], on so many threads, the calling one among them; whoever is free takes the next.

    Raises what a part raised, once no thread works any more. Where no more threads can be started there are fewer.
    """
    threads, tasks = min(threads, parts), getattr(_asked, "tasks", [])
    if threads <= 1:
        _do(tasks)
        return [work(k) for k in range(parts)]
    found: dict[int, Result] = {}
    numbers = iter(range(parts))  # shared: to take one is a single step of the interpreter

    def some() -> None:
        for k in numbers:
            found[k] = work(k)

    def one_of_others() -> None:
        _do(tasks)
        some()

    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads - 1, thread_name_prefix="mmrl")
    pool = _pools[threads]
    others = []
    with suppress(RuntimeError):  # the machine starts no more threads: those that are there do it
        for _ in range(threads - 2):
            others.append(pool.submit(some))
        others.append(pool.submit(one_of_others))  # the last to begin: it might not let others have the interpreter
    try:
        if len(others) < threads - 1:
            _do(tasks)
        some()
    finally:
        running = [other for other in others if not other.cancel()]  # those that have not begun find nothing to do
        failures = [other.exception() for other in running]  # waits for each
    for failure in failures:
        if failure is not None:
            raise failure
    return [found[k] for k in range(parts)]
