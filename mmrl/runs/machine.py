"""What this machine, or the control group that this process is in, has for a run: bytes of memory and CPUs."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of mallopt in glibc: free bytes at the end of the heap from which they are given back, and sizes never kept."""
KEPT = 1 << 30


def memory() -> float:
    """Bytes of memory: of the machine, or the least that a control group or `ulimit -v` leaves; infinite if unknown."""
    groups = (_number(text) for text in _texts("memory.max", "memory", "memory.limit_in_bytes"))
    return min([_physical(), address_space(), *filter(None, groups)])


def address_space() -> float:
    """Bytes that this process may map (`ulimit -v`); infinite where nothing limits it."""
    try:
        import resource
    except ImportError:  # not on Windows
        return math.inf
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if limit == resource.RLIM_INFINITY else float(limit)


def cpus() -> int:
    """CPUs that this process may run on, and no more than its control groups give it time for, rounded up."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shares: list[float] = [usable]
    for text in _texts("cpu.max", "cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
        quota, period = [*(_number(word) for word in text.split()), 0.0, 0.0][:2]
        if quota > 0 and period > 0:
            shares.append(quota / period)
    return max(1, math.ceil(min(shares)))


def keep_freed_memory() -> None:
    """Let this process keep the memory of large arrays that are freed, where the C library is glibc.

    Epochs need the same sizes again and again, and fresh pages cost them up to a tenth of their time.
    """
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):  # musl has no mallopt
            for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
                ctypes.CDLL(None).mallopt(option, KEPT)


def _physical() -> float:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return math.inf


def _number(word: str) -> float:
    """A limit; 0 for none, which is written max (version 2) or -1 (version 1)."""
    with suppress(ValueError):
        return max(float(int(word)), 0.0)
    return 0.0


def _texts(newer: str, controller: str, *older: str) -> Iterator[str]:
    """Contents of a limit's file in this process's groups and those above them: `newer` in version 2 of control
    groups, the words of all `older` in version 1, where each controller has a tree of its own.

    A group is named as the machine sees it; in a container only the top of its tree may be there, as the root.
    """
    for line in _read(OWN).splitlines():
        _, named, path = [*line.split(":", 2), "", ""][:3]
        own = [name for name in named.split(",") if name]
        if not own:
            trees, files = [GROUPS, GROUPS / "unified"], [newer]
        elif controller in own:
            trees, files = [GROUPS / controller, GROUPS / named], list(older)
        else:
            continue
        for tree in trees:
            folder = Path(os.path.normpath(f"{tree}/{path}"))
            for place in (folder, *folder.parents):
                if place != tree and tree not in place.parents:
                    break
                text = " ".join(_read(place / file).strip() for file in files)
                if text.strip():
                    yield text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
