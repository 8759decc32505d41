"""Threads that help: they play, sleep, wake, end, and what goes wrong in them is raised where it was called."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.kernels.shares import counters_of, playing_of
from mmrl.kernels.threads import Helpers


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


def test_an_error_is_raised_where_it_was_called() -> None:
    counters = counters_of(2, 2)
    calls: list[int] = []

    def play(thread: int) -> None:
        calls.append(thread)
        if len(calls) == 1:
            counters[playing_of(thread)] = 1
            raise MemoryError("no room")

    helpers = Helpers(1, play, counters)
    until(lambda: helpers.asleep == 1)
    helpers.wait()  # it plays no more
    with pytest.raises(MemoryError, match="no room"):
        helpers.require_sound()
    helpers.require_sound()  # once
    helpers.wake()
    until(lambda: len(calls) == 2 and helpers.asleep == 1)
    helpers.close()


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C again and again while a thousand markets step: the same trajectories, and the process ends."""
    program = tmp_path / "interrupted.py"
    program.write_text(INTERRUPTED)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    interruptions, steps = map(int, done.stdout.split())
    assert interruptions > 50 and steps > 50


INTERRUPTED = """
import random, signal, time
import numpy as np
from mmrl.gym.engine import Engine
from mmrl.settings.model import Config

config = Config.of("avellaneda-stoikov", nt=100_000)
one, two = (Engine(config.but(threads=threads), 600) for threads in (1, 2))
for engine in (one, two):
    engine.seed(3)
    engine.reset()
action = np.full((600, 2), 0.1)
signal.signal(signal.SIGALRM, signal.default_int_handler)
interruptions = steps = 0
end = time.monotonic() + 4
while time.monotonic() < end:
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 3e-4))
        two.step(action)
        time.sleep(0.001)
    except KeyboardInterrupt:
        interruptions += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    clock = set(two.copies.clock.tolist())
    assert len(clock) == 1, clock  # a step is done by all, or by none
    while one.copies.clock[0] < two.copies.clock[0]:
        one.step(action)
        steps += 1
    assert (one.outcome.reward == two.outcome.reward).all() and (one.observation == two.observation).all()
two.close()
print(interruptions, steps)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of processes with threads, since Python 3.12
def test_a_forked_child_does_not_wait_for_threads_that_it_has_not() -> None:
    counters = counters_of(2, 2)
    helpers = Helpers(1, lambda thread: None, counters)
    until(lambda: helpers.asleep == 1)
    counters[playing_of(1)] = 1  # as if it had begun when the process was forked
    child = os.fork()
    if child == 0:
        helpers.wake()
        helpers.wait()
        helpers.close()
        os._exit(0)
    end = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < end:
        time.sleep(0.01)
    assert ended[0] == child and os.waitstatus_to_exitcode(ended[1]) == 0
    counters[playing_of(1)] = 0
    helpers.close()


def test_a_thread_that_cannot_start_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if len(started) == 1:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError, match="can't start"):
        Helpers(2, lambda thread: None, counters_of(3, 3))
    gc.collect()
    until(lambda: not started[0].is_alive())


def test_they_end_with_what_they_help() -> None:
    helpers = Helpers(2, lambda thread: None, counters_of(3, 3))
    threads = helpers.threads
    del helpers
    gc.collect()
    until(lambda: not any(thread.is_alive() for thread in threads))
