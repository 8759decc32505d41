"""Memory runs out at random moments, refused or with a kill: the run goes on as if there had been enough."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.runs.doctor import examine
from tests.faults.harness import TINY, Child, Nursery, equal, newest, trained, wait_until

PATIENCE = 2.0
"""Seconds after which the machine kills whom it has refused memory, as Linux does when nothing else helps."""


def starve(child: Child, rng: random.Random) -> int:
    """Allow a process hardly more memory than it has; kill it where it does not notice. Returns the exit code."""
    try:
        pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[0])
        room = pages * resource.getpagesize() + rng.choice((0, 2**16, 2**20))
        resource.prlimit(child.pid, resource.RLIMIT_AS, (room, room))
    except (FileNotFoundError, ProcessLookupError):
        pass
    deadline = time.monotonic() + rng.random() * PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.signal(signal.SIGKILL)
    return child.wait()


def test_memory_runs_out_at_random(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], complete: bool
) -> None:
    kills, rng, run = 50 if complete else 2, random.Random(3), tmp_path / "run"
    ends: Counter[int] = Counter()
    # layers wide enough that every epoch asks for memory
    settings = [*TINY, "--layer-size", "256", "-nb", "300", "-ne", "1000000", "--name", "run"]
    for k in range(kills):
        before = newest(run)
        start = ["--load", "run"] if k else settings
        child = nursery.mmrl(tmp_path, "train", *start, "--results", str(tmp_path), "-pa", "5")
        wait_until(lambda b=before, c=child: newest(run) > b or c.poll() is not None)
        assert child.poll() is None, child.text()
        code = starve(child, rng)
        ends[code] += 1
        assert code != 0 and all(one.kind == "note" for one in examine(run)), (code, child.text())
        if code == 1:
            assert "failed: " in child.text(), child.text()[-3000:]
            [line] = [line for line in child.text().splitlines() if line.startswith("failed: ")]
            assert "memory" in line.lower(), line
            assert "Traceback" not in child.text(), child.text()
    text, target = (run / "config.toml").read_text(), newest(run) + 2
    body = text[text.index("\n") : text.index("# sha256")].replace("ne = 1000000", f"ne = {target}")
    (run / "config.toml").write_text(body)
    trained(nursery, tmp_path, "--load", "run")
    (tmp_path / "straight").mkdir()
    trained(nursery, tmp_path / "straight", *settings, "-ne", str(target))
    assert equal(run, tmp_path / "straight" / "run") and not list(run.rglob(".*.tmp"))
    told = ", ".join(f"{count} x {code}" for code, count in sorted(ends.items()))
    figure(25, "memory refused at random moments, killed after it; ends by exit code; corrupt; resumed",
           f"{kills}; {told}; 0; equal", "50; not 0; 0; equal")  # fmt: skip


@pytest.mark.nightly
def test_a_naive_save_is_caught_where_memory_runs_out(
    nursery: Nursery, tmp_path: Path, caught: Callable[..., None]
) -> None:
    rng, run = random.Random(4), tmp_path / "run"
    for kill in range(1, 101):
        shutil.rmtree(run, ignore_errors=True)
        start = [*TINY, "-ne", "1000000", "--name", "run", "-pa", "1", "--results", str(tmp_path)]
        child = nursery.mmrl(tmp_path, "train", *start, mutant="naive_save")
        wait_until(lambda c=child: (run / "manifest.previous.json").exists() or c.poll() is not None)
        starve(child, rng)
        if any(one.kind != "note" for one in examine(run)):
            caught(25, f"files written in place: torn by kill {kill}")
            return
    pytest.fail("100 kills tore nothing")
