"""Limits of control groups, both versions, as files that a kernel would show."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmrl.runs import machine

UNLIMITED = str(2**63 - 4096)


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "OWN", tmp_path / "own")
    monkeypatch.setattr(machine, "_physical", lambda: 64e9)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    return tmp_path


def write(place: Path, **files: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text + "\n")


def test_version_2_the_least_of_a_group_and_those_above_it_counts(group: Path) -> None:
    (group / "own").write_text("0::/user/app\n")
    write(group / "cgroup" / "user" / "app", memory__max="max", cpu__max="max 100000")
    write(group / "cgroup" / "user", memory__max="2000000000", cpu__max="250000 100000")
    assert (machine.memory(), machine.cpus()) == (2e9, 3)
    write(group / "cgroup" / "user" / "app", memory__max="1500000000", cpu__max="50000 100000")
    assert (machine.memory(), machine.cpus()) == (1.5e9, 1)


def test_version_1_has_a_tree_for_each_controller(group: Path) -> None:
    (group / "own").write_text("4:memory:/job/7\n2:cpu,cpuacct:/job\n0::/\n")
    write(group / "cgroup" / "memory" / "job" / "7", memory__limit_in_bytes="3000000000")
    write(group / "cgroup" / "memory", memory__limit_in_bytes=UNLIMITED)
    write(group / "cgroup" / "cpu" / "job", cpu__cfs_quota_us="400000", cpu__cfs_period_us="100000")
    assert (machine.memory(), machine.cpus()) == (3e9, 4)
    write(group / "cgroup" / "cpu" / "job", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert machine.cpus() == 16


def test_in_a_container_only_the_top_of_the_tree_is_there(group: Path) -> None:
    (group / "own").write_text("3:memory:/docker/f00\n")
    write(group / "cgroup" / "memory", memory__limit_in_bytes="1000000000")
    assert machine.memory() == 1e9


@pytest.mark.parametrize("own", ["", "nonsense", "0::/../../..", "1:memory:/../..\n0::/", ":::\n::"])
def test_without_a_readable_limit_the_machine_counts(group: Path, own: str) -> None:
    (group / "own").write_text(own)
    write(group, memory__max="5", memory__limit_in_bytes="5", cpu__max="1 100000")  # outside of the tree
    assert (machine.memory(), machine.cpus()) == (64e9, 16)


def test_a_limit_of_the_address_space_counts(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    for limit, found in ((3_000_000_000, 3e9), (resource.RLIM_INFINITY, 64e9)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, resource.RLIM_INFINITY))
        assert machine.memory() == found


def test_freed_memory_is_kept_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=lambda *given: told.append(given)))
    machine.keep_freed_memory()
    assert told == [(-1, 2**30), (-3, 2**30)]  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())  # musl
    machine.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", None)
    machine.keep_freed_memory()
