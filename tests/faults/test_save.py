"""A kill or an error at every system call of one save: the run is as before or as after, never in between."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from mmrl.runs import slots
from mmrl.runs.manifest import entries_of, sound_manifest
from tests.faults.harness import Nursery, wait_until
from tests.faults.saving import COMMITTED, save_epoch, state_of, torn

STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed: no system call can be made to fail")

CHANGING = ("openat", "write", "pwrite64", "fsync", "rename", "link", "unlink", "mkdir", "ftruncate", "close")
LOOKING = ("newfstatat", "getdents64", "lseek", "read")
WAYS = {"commit": (COMMITTED, COMMITTED + 1), "slot": (5, 6), "commit before": (5, 6), "commit both": (4, 5)}
"""How an epoch is saved: the newest epoch before and after it. Later ones than COMMITTED are in slots."""
# a copy that another way makes good, a folder that is there already, a look at a slot and its rows, without which it
# counts for nothing, the end of a look into a folder, and of rows that are on disk
HARMLESS = (
    r"manifest\.previous|link\(|mkdir\(|close\(\d+<[^>]*/checkpoints>|slot_[01]\", O_RDONLY|close\(\d+<[^>]*/slot_"
    r"|metrics\.jsonl\", O_RDONLY|close\(\d+<[^>]*/metrics\.jsonl>"
)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("base")
    for way, (old, _) in WAYS.items():
        folder = place / way
        folder.mkdir()
        for epoch in range(1, old + 1):
            save_epoch(folder, epoch, "commit" if epoch <= COMMITTED else "slot")
        assert state_of(shutil.copytree(folder, place / f"{way} judged")) == old
    return place


def saved_under(
    nursery: Nursery,
    base: Path,
    place: Path,
    inject: str,
    mutant: str = "",
    env: dict[str, str] | None = None,
    way: str = "commit",
) -> tuple[Path, int, str]:
    """Save one epoch with faults injected: the folder, the exit code, and what strace wrote."""
    folder = place / "run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base / way, folder)
    log = place / "trace.txt"
    new = WAYS[way][1]
    child = nursery.start(place, "save", folder=str(folder), epoch=new, way=way, mutant=mutant, env=env or {})
    ready = Path(f"{child.out}.ready")
    wait_until(ready.exists, pause=0.001)
    ready.unlink()
    trace = ",".join((*CHANGING, *LOOKING, "renameat2", "sendfile"))
    command = [str(STRACE), "-f", "-y", "-o", str(log), "-p", str(child.pid), "-e", f"trace={trace}"]
    tracer = subprocess.Popen(
        [*command, *(["-e", f"inject={inject}"] if inject else [])], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    if "attached" not in line:
        child.signal(signal.SIGKILL)
        pytest.skip(f"strace may not trace here: {line.strip()}")
    time.sleep(0.001)
    os.kill(child.pid, signal.SIGUSR1)
    code = child.wait(60)
    tracer.wait(60)
    tracer.stderr.close()
    return folder, code, log.read_text()


def every_point(
    nursery: Nursery,
    base: Path,
    place: Path,
    calls: tuple[str, ...],
    how: str,
    mutant: str = "",
    env: dict | None = None,
    way: str = "commit",
) -> Iterator[tuple[str, int, Path, int, str]]:
    """One save for each system call, with the fault at that call."""
    for call in calls:
        for number in range(1, 500):
            folder, code, log = saved_under(nursery, base, place, f"{call}:{how}:when={number}", mutant, env, way)
            if not ("INJECTED" in log or "killed by SIGKILL" in log):
                assert code == 0 or mutant
                break
            yield call, number, folder, code, log


@pytest.mark.parametrize("way", WAYS)
def test_killed_at_every_call(
    nursery: Nursery, base: Path, tmp_path: Path, figure: Callable[..., None], complete: bool, way: str
) -> None:
    seen: dict[int, int] = {}
    calls = (
        (*CHANGING, *LOOKING)
        if complete and way == "slot"
        else CHANGING
        if complete
        else ("write", "pwrite64", "rename")
    )
    for call, number, folder, code, _ in every_point(nursery, base, tmp_path, calls, "signal=KILL", way=way):
        assert code == -signal.SIGKILL
        fault = torn(folder)
        assert fault is None, f"{call} {number}: {fault}"
        newest = entries_of(sound_manifest(folder)[0])[-1]["epoch"]
        seen[newest] = seen.get(newest, 0) + 1
    assert set(seen) <= {*WAYS[way]} and WAYS[way][0] in seen
    assert way == "slot" or WAYS[way][1] in seen
    assert sum(seen.values()) > (1 if way == "slot" else 8)
    points = f"{sum(seen.values())}, 0"
    figure(2, f"SIGKILL at every system call of a save ({way}): points, torn", points, "0 torn")


class Trusting:
    """In place of hashlib: every digest is the right one."""

    def sha256(self, *_: object) -> Trusting:
        return self

    def digest(self) -> Trusting:
        return self

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def judged(base: Path, place: Path, lengths: Iterable[int], over: bytes) -> list[str | None]:
    """What is torn when the slot of the newest epoch is written up to so many bytes over what it had before."""
    found = []
    for length in lengths:
        folder = shutil.copytree(base / "slot", place / "run")
        slot = folder / "checkpoints" / slots.name_of(WAYS["slot"][0])
        slot.write_bytes(slot.read_bytes()[:length] + over[length:])
        found.append(torn(folder))
        assert found[-1] or state_of(folder) in (WAYS["slot"][0] - 1, WAYS["slot"][0])
        shutil.rmtree(folder)
    return found


def test_a_slot_written_in_part(
    base: Path,
    tmp_path: Path,
    figure: Callable[..., None],
    caught: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    complete: bool,
) -> None:
    slot = base / "slot" / "checkpoints" / slots.name_of(WAYS["slot"][0])
    size = slot.stat().st_size
    lengths = [size * k // 400 for k in range(0, 400, 1 if complete else 20)]
    for over in (b"", random.Random(6).randbytes(size), bytes(size)):
        assert judged(base, tmp_path, lengths, over) == [None] * len(lengths)
    figure(
        10, "slot of the newest epoch written up to lengths, over 3 contents: torn", f"{3 * len(lengths)}, 0", "0 torn"
    )
    monkeypatch.setattr(slots, "hashlib", Trusting())
    points = judged(base, tmp_path, lengths[-10:], bytes(size))
    assert any(points)
    caught(10, f"no SHA-256 of slots: {len(points) - points.count(None)} of {len(points)} torn")


@pytest.mark.nightly
def test_a_naive_save_is_caught(nursery: Nursery, base: Path, tmp_path: Path, caught: Callable[..., None]) -> None:
    points = list(
        torn(folder)
        for _, _, folder, _, _ in every_point(nursery, base, tmp_path, ("write",), "signal=KILL", "naive_save")
    )
    assert any(points)
    caught(2, f"files written in place: {len(points) - points.count(None)} of {len(points)} points torn")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", ["ENOSPC", pytest.param("EIO", marks=pytest.mark.nightly)])
def test_an_error_at_every_call(
    nursery: Nursery, base: Path, tmp_path: Path, figure: Callable[..., None], error: str, complete: bool, way: str
) -> None:
    points, new = 0, WAYS[way][1]
    calls = CHANGING if complete else ("write", "pwrite64", "fsync")
    for call, number, folder, code, log in every_point(nursery, base, tmp_path, calls, f"error={error}", way=way):
        points += 1
        message = next((os.readlink(p) for p in tmp_path.glob("*.error")), "")
        for path in tmp_path.glob("*.error"):
            path.unlink()
        assert code in (0, 1), f"{call} {number}"
        fault = torn(folder)
        assert fault is None, f"{call} {number}: {fault}"
        if code == 0:  # it says that it is saved: then it is, and only what is not needed may have failed
            assert state_of(folder) == new, f"{call} {number}"
            injected = next(line for line in log.splitlines() if "INJECTED" in line)
            assert re.search(HARMLESS, injected), f"{call} {number} failed unnoticed: {injected}"
        else:
            assert str(folder) in message, f"{call} {number}: {message!r} names no file"
    assert points > (1 if way == "slot" else 5)
    figure(3, f"{error} at every system call of a save ({way}): points, torn or falsely saved", f"{points}, 0", "0")


@pytest.mark.nightly
def test_swallowed_errors_are_caught(nursery: Nursery, base: Path, tmp_path: Path, caught: Callable[..., None]) -> None:
    false = [
        code == 0 and (torn(folder) is not None or state_of(folder) != WAYS["commit"][1])
        for _, _, folder, code, _ in every_point(nursery, base, tmp_path, ("fsync",), "error=EIO", "careless")
    ]
    assert any(false)
    caught(3, f"errors swallowed: {sum(false)} of {len(false)} points said to be saved and were not")


def order_of(log: str, name: str) -> list[str]:
    """The calls that made the file `name` durable, in order."""
    calls = []
    for line in log.splitlines():
        found = re.search(r"\b(fsync|rename|renameat2)\((.*)", line)
        if not found:
            continue
        call, rest = found.groups()
        if call == "fsync" and f"/.{name}." in rest:
            calls.append("fsync file")
        elif call.startswith("rename") and rest.count(f"{name}"):
            source, target = re.findall(r'"([^"]+)"', rest)[:2]
            if target.endswith(f"/{name}"):
                assert os.path.dirname(source) == os.path.dirname(target)
                calls.append("rename")
        elif call == "fsync" and calls[-1:] == ["rename"]:
            calls.append("fsync folder")
    return calls


def test_synced_then_renamed_then_the_folder_synced(
    nursery: Nursery, base: Path, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None]
) -> None:
    _, code, log = saved_under(nursery, base, tmp_path, "")
    new = WAYS["commit"][1]
    assert code == 0
    for name in (f"{new:06d}.safetensors", f"{new:06d}.json", "manifest.json", "status.json", f"{new:06d}.npz"):
        assert order_of(log, name) == ["fsync file", "rename", "fsync folder"], name
    commits = [log.index(f'/{name}")') for name in (f"{new:06d}.safetensors", f"{new:06d}.json", "manifest.json")]
    synced = re.search(r"fsync\(\d+<[^>]*/metrics\.jsonl>", log)
    assert synced
    metrics = synced.start()
    assert [metrics, *commits] == sorted([metrics, *commits])
    _, _, log = saved_under(nursery, base, tmp_path, "", "no_sync")
    assert order_of(log, "manifest.json") == ["rename"]
    figure(5, "order of one save, for each of 5 files", "fsync < rename < fsync folder", "that")
    caught(5, "no fsync: the order is rename alone")


@pytest.mark.parametrize("run_in_memory", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_a_temporary_folder_on_another_disk(
    nursery: Nursery,
    base: Path,
    tmp_path: Path,
    figure: Callable[..., None],
    caught: Callable[..., None],
    run_in_memory: bool,
    complete: bool,
) -> None:
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system")
    other = memory / f"mmrl-faults-{os.getpid()}"
    other.mkdir(exist_ok=True)
    place, temporary = (other, tmp_path) if run_in_memory else (tmp_path, other)
    try:
        calls = CHANGING if complete else ("rename",)
        env = {"TMPDIR": str(temporary)}
        faults = [
            torn(folder) for _, _, folder, _, _ in every_point(nursery, base, place, calls, "signal=KILL", env=env)
        ]
        assert faults and not any(faults)
        assert run_in_memory or not list(temporary.iterdir())
        writing = ("write", "sendfile") if complete else ()
        mutants = every_point(nursery, base, place, writing, "signal=KILL", "far_temporary", env)
        found = [torn(folder) for _, _, folder, _, _ in mutants]
        assert any(found) or not complete
    finally:
        shutil.rmtree(other, ignore_errors=True)
    where = "memory" if run_in_memory else "ext4"
    figure(6, f"TMPDIR on another disk, run in {where}: points, torn", f"{len(faults)}, 0", "0 torn")
    if complete:
        caught(6, f"written to TMPDIR and moved, run in {where}: {len(found) - found.count(None)} of {len(found)} torn")
