"""The results folder is moved, removed or made read-only while training: said in one line, and nothing is lost."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.runs.doctor import examine
from tests.faults.harness import TINY, Child, Nursery, equal, newest, trained, wait_until

TARGET = 150
SETTINGS = [*TINY, "-ne", str(TARGET), "-pa", "5", "--name", "run"]


def failing(nursery: Nursery, logs: Path, results: Path, harm: Callable[[], object], **task: object) -> Child:
    """A training whose folder comes to harm after some epochs, once it has ended."""
    child = nursery.mmrl(logs, "train", *SETTINGS, "--results", str(results), **task)
    wait_until(lambda: newest(results / "run") > 3 or child.poll() is not None)
    assert child.poll() is None, child.text()
    child.signal(signal.SIGSTOP)  # else what it writes meanwhile hinders the harm
    harm()
    child.signal(signal.SIGCONT)
    child.wait()
    return child


def said(child: Child, place: Path, why: str) -> bool:
    """Whether the training failed with one line that names a place and a reason, and without a traceback."""
    lines = [line for line in child.text().splitlines() if line.startswith("failed: ")]
    return child.code == 1 and len(lines) == 1 and str(place) in lines[0] and why in lines[0] and (
        "Traceback" not in child.text()
    )  # fmt: skip


def goes_on(nursery: Nursery, tmp_path: Path, results: Path) -> bool:
    """Whether the run, where it is now, ends as one that nothing happened to."""
    assert all(one.kind == "note" for one in examine(results / "run"))
    trained(nursery, results, "--load", "run")
    straight = tmp_path / "straight"
    straight.mkdir(exist_ok=True)
    if not (straight / "run").exists():
        trained(nursery, straight, *SETTINGS)
    return equal(results / "run", straight / "run")


def remove(folder: Path) -> None:
    """Remove a folder into which a training writes meanwhile."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def test_moved_or_removed(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None]
) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    results.mkdir()
    child = failing(nursery, tmp_path, results, lambda: results.rename(elsewhere))
    assert said(child, results / "run", "moved or removed"), child.text()
    assert not results.exists() and "go on" not in child.text()
    assert goes_on(nursery, tmp_path, elsewhere)

    results.mkdir()
    child = failing(nursery, tmp_path, results, lambda: remove(results))
    assert said(child, results / "run", "moved or removed"), child.text()
    assert not results.exists()
    figure(26, "results moved; removed: exit 1, one line names the place; made anew; moved run resumed",
           "2/2; 0; equal", "all; 0; equal")  # fmt: skip

    shutil.rmtree(elsewhere)
    results.mkdir()
    child = failing(nursery, tmp_path, results, lambda: results.rename(elsewhere), mutant="makes_folders")
    assert results.exists()
    caught(26, f"folders made where they are missing: a second run there, exit {child.code}")


def test_read_only(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    results = tmp_path / "results"
    results.mkdir()

    def allow(mode: int) -> None:
        for place in (results, *results.rglob("*")):
            if place.is_dir():
                place.chmod(mode)

    child = failing(nursery, tmp_path, results, lambda: allow(0o555), mutant="like_anybody")
    assert said(child, results / "run", "Permission denied"), child.text()
    allow(0o755)
    assert goes_on(nursery, tmp_path, results)
    figure(26, "made read-only: exit 1, place and reason named; made writable, resumed", "yes; equal", "yes; equal")


@pytest.mark.parametrize("part", ["lock", pytest.param("config.toml", marks=pytest.mark.nightly)])
def test_a_training_that_loses_what_guards_or_names_it_ends(nursery: Nursery, tmp_path: Path, part: str) -> None:
    """Without its lock another process could train the run too; without its settings nobody could go on with it."""
    results, run = tmp_path / "results", tmp_path / "results" / "run"
    results.mkdir()
    kept: list[bytes] = []

    def harm() -> None:
        kept.append((run / part).read_bytes())
        (run / part).unlink()
        if part == "lock":
            (run / part).touch()  # as the next trainer would

    child = failing(nursery, tmp_path, results, harm)
    assert said(child, run, f"({part}) was moved or removed"), child.text()
    (run / part).write_bytes(kept[0])
    assert goes_on(nursery, tmp_path, results)
