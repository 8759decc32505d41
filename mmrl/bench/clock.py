"""How long things take: seconds of a call, CPU seconds of a process that was started."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LEAST_SECONDS = 0.25
"""Work is repeated until so much time is over: what is shorter than a slice of the scheduler measures the scheduler."""
_least = LEAST_SECONDS


def repeat_for(least: float) -> None:
    """From now on work is repeated until so many seconds are over."""
    global _least
    _least = least


def seconds_of(
    work: Callable[[], Any], threads: int = 1, least: float | None = None, clock: Callable[[], float] | None = None
) -> float:
    """Seconds of one call: the mean over as many calls as take `least` seconds.

    What runs on one thread is measured in CPU time, which other programs disturb little; else on the wall.
    """
    least = _least if least is None else least
    clock = clock or (time.process_time if threads == 1 else time.perf_counter)
    began, calls = clock(), 0
    while True:
        work()
        calls += 1
        spent = clock() - began
        if spent >= least:
            return spent / calls


def process_seconds(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """CPU and wall seconds of a process, which must succeed, and of its own children."""
    import resource

    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, env=environment)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def peak_mb() -> float:
    """Largest memory that this process has had, in MB of 2^20 bytes.

    Linux counts what the process had before it became another program, that is, the memory of whoever started it, to
    the maximum that getrusage gives.
    """
    import resource
    import sys

    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024
