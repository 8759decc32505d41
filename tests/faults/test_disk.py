"""A disk that is really full: training stops cleanly, nothing is lost or glued, and the same command goes on."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmrl.runs.doctor import examine
from mmrl.runs.status import read_status
from tests.faults.harness import TINY, Nursery, newest, records, wait_until, weights


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_then_freed(
    nursery: Nursery, small: Path, tmp_path: Path, figure: Callable[..., None], complete: bool
) -> None:
    target, lost = 400 if complete else 14, 0
    settings = [*TINY, "-ne", str(target), "-pa", "5", "--name", "run"]
    logs, ballast, run = tmp_path / "logs", small / "ballast", small / "run"
    logs.mkdir()
    rounds = 3 if complete else 1
    for k in range(rounds):
        child = nursery.mmrl(logs, "train", *settings, "--results", str(small), "--json")
        before = newest(run)
        wait_until(lambda b=before, c=child: newest(run) > b + 3 or c.poll() is not None)
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096 if k else 512))
        assert child.wait() == 1, child.text()
        [error] = [line for line in child.text().splitlines() if line.startswith("failed: ")]
        assert "No space left on device" in error and str(small) in error, error
        assert "saved" not in child.text()
        data = (run / "metrics.jsonl").read_bytes()
        assert data.endswith(b"\n")
        rows = [row["epoch"] for row in records(run)]
        assert rows == list(range(1, len(rows) + 1)) and len(rows) - newest(run) in (0, 1)
        lost += len(rows) < newest(run)
        ballast.unlink()
    child = nursery.mmrl(logs, "train", *settings, "--results", str(small))
    assert child.wait() == 0 and "resuming run" in child.text(), child.text()
    straight = tmp_path / "straight"
    child = nursery.mmrl(logs, "train", *settings, "--results", str(straight))
    assert child.wait() == 0, child.text()
    assert records(run) == records(straight / "run") and weights(run) == weights(straight / "run")
    assert not list(run.rglob(".*.tmp"))
    shutil.rmtree(straight)
    figure(4, "disk filled in the middle: exit 1, path and error named; rows lost or glued; resumed equal",
           f"{rounds}/{rounds}; {lost}; yes", "all; 0; yes")  # fmt: skip


def test_where_not_even_that_can_be_said(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / f"out-{nursery.count + 1}.txt").symlink_to("/dev/full")  # a log on the disk that is full
    child = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "3", "--name", "run", "--results", str(tmp_path))
    assert child.wait() == 1
    status = read_status(tmp_path / "run")
    assert status["state"] == "failed" and "No space left on device" in status["error"]
    child = nursery.mmrl(tmp_path, "train", "--load", "run", "--results", str(tmp_path))
    assert child.wait() == 0 and newest(tmp_path / "run") == 3, child.text()


@pytest.mark.nightly
def test_careless_writes_on_a_full_disk_are_caught(
    nursery: Nursery, small: Path, tmp_path: Path, caught: Callable[..., None]
) -> None:
    run = small / "run"
    settings = [*TINY, "-ne", "400", "-pa", "5", "--name", "run", "--results", str(small)]
    child = nursery.mmrl(tmp_path, "train", *settings, mutant="careless")
    wait_until(lambda: newest(run) > 3 or child.poll() is not None)
    with (small / "ballast").open("wb", buffering=0) as file:
        while child.poll() is None:  # it frees what it should have kept
            with contextlib.suppress(OSError):
                file.write(bytes(512))
    assert child.code == 0, child.text()  # it says that all is well
    damaged = [one for one in examine(run) if one.kind == "damaged"]
    assert damaged or newest(run) < 400
    caught(4, f"errors of the disk swallowed: exit 0, {len(damaged)} files damaged, newest epoch {newest(run)} of 400")
