"""Threads that stay: every part is done once, by whoever is free; errors come out; nothing waits for ever."""

from __future__ import annotations

import os
import threading
import time

import pytest

from mmrl.rollout import threads as module
from mmrl.rollout.threads import beside, each, thread_count


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
@pytest.mark.parametrize("parts", [0, 1, 2, 7])
def test_results_are_in_order(parts: int, threads: int) -> None:
    assert each(lambda k: k * k, parts, threads) == [k * k for k in range(parts)]


def test_several_threads_work_at_once() -> None:
    together = threading.Barrier(3)

    def work(_: int) -> int:
        together.wait(20)  # until all three are here
        return threading.get_ident()

    found = each(work, 3, 3)
    assert len(set(found)) == 3 and threading.get_ident() in found


def test_an_error_comes_out_when_all_have_ended() -> None:
    begun = threading.Event()
    ended = []

    def work(k: int) -> None:
        if k == 0:
            begun.wait(20)
            raise MemoryError("no room")
        begun.set()
        time.sleep(0.1)
        ended.append(k)

    with pytest.raises(MemoryError, match="no room"):
        each(work, 2, 2)
    assert ended == [1]
    assert each(lambda k: k, 3, 2) == [0, 1, 2]  # its threads go on


def test_an_error_of_another_thread_comes_out() -> None:
    """Also where the calling one has nothing to say against its own part."""
    begun, caller = threading.Event(), threading.get_ident()

    def work(_: int) -> None:
        if threading.get_ident() == caller:
            begun.wait(20)
        else:
            begun.set()
            raise ValueError("theirs")

    with pytest.raises(ValueError, match="theirs"):
        each(work, 2, 2)


def test_work_within_work_does_not_wait_for_a_thread_that_is_busy() -> None:
    assert each(lambda k: each(lambda j: (k, j), 3, 2), 4, 2) == [[(k, j) for j in range(3)] for k in range(4)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_task_is_done_once_by_another_thread_before_its_share_or_first_where_there_is_none(threads: int) -> None:
    caller, done = threading.get_ident(), threading.Event()
    order: list[tuple[str, int]] = []

    def task() -> None:
        order.append(("task", threading.get_ident() == caller))
        done.set()

    def work(k: int) -> int:
        assert done.wait(20)  # the calling thread plays too, and does not wait for the task
        order.append(("work", k))
        return k

    with beside(task):
        assert each(work, 4, threads) == each(work, 4, threads) == [0, 1, 2, 3]
    assert order[0] == ("task", threads == 1) and order.count(order[0]) == 1
    assert each(work, 2, threads) == [0, 1] and len(order) == 11


def test_a_task_is_done_though_nothing_calls_a_thread_and_though_that_fails() -> None:
    done: list[int] = []
    with beside(lambda: done.append(1)):
        pass
    with pytest.raises(ZeroDivisionError), beside(lambda: done.append(2)):
        raise ZeroDivisionError
    assert done == [1, 2]


def test_a_task_of_one_thread_is_not_done_by_the_work_of_another() -> None:
    done: list[int] = []
    other = threading.Thread(target=lambda: each(lambda k: k, 4, 1))
    with beside(lambda: done.append(1)):
        other.start()
        other.join()
        assert not done
    assert done == [1]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_a_task_comes_out_and_it_is_not_done_again(threads: int) -> None:
    tried: list[int] = []

    def task() -> None:
        tried.append(1)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"), beside(task):
        each(lambda k: time.sleep(0.05), 4, threads)
    assert tried == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of processes with threads, since Python 3.12
def test_a_forked_child_has_threads_of_its_own() -> None:
    assert each(lambda k: k, 2, 2) == [0, 1]
    child = os.fork()
    if child == 0:
        os._exit(0 if each(lambda k: k, 4, 2) == [0, 1, 2, 3] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_cpus_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module._all_cpus.cache_clear()
    answers = iter([3, 5])
    monkeypatch.setattr(module, "cpus", lambda: next(answers))
    assert [thread_count(0), thread_count(7), thread_count(0)] == [3, 7, 3]
    module._all_cpus.cache_clear()


def test_where_no_thread_can_be_started_the_caller_works_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_pools", {})

    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", refused)
    done: list[str] = []
    with beside(lambda: done.append(threading.current_thread().name)):
        assert each(lambda k: (k, *done), 5, 3) == [(k, "MainThread") for k in range(5)]
    monkeypatch.setattr(threading.Thread, "start", start)
    assert [k for k, _ in each(lambda k: (k, time.sleep(0.001)), 50, 3)] == [*range(50)]
    with pytest.raises(RuntimeError, match="of the work"):  # is told
        each(_fails, 5, 3)


def _fails(k: int) -> None:
    raise RuntimeError("of the work")
