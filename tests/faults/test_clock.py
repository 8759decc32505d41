"""The machine sleeps, or its clock is set: training goes on and ends with the same bytes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from mmrl.runs.status import read_status
from tests.faults.harness import TINY, Nursery, equal, newest, trained, wait_until

TARGET = 12


def test_the_clock_jumps(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None]
) -> None:
    for place in ("straight", "jumps", "mutant"):
        (tmp_path / place).mkdir()
    settings = [*TINY, "-ne", str(TARGET), "--name", "run"]
    trained(nursery, tmp_path / "straight", *settings)
    trained(nursery, tmp_path / "jumps", *settings, mutant="jumping_clock")
    trained(nursery, tmp_path / "jumps", "--load", "run", "--expand", "3", mutant="jumping_clock")
    trained(nursery, tmp_path / "straight", "--load", "run", "--expand", "3")
    assert equal(tmp_path / "straight" / "run", tmp_path / "jumps" / "run")
    child = nursery.mmrl(tmp_path, "runs", "list", "--results", str(tmp_path / "jumps"), mutant="jumping_clock")
    assert child.wait() == 0 and "finished" in child.text(), child.text()
    figure(24, "the time of day jumps by up to two days at every look: run and resumed run", "equal", "equal")

    trained(nursery, tmp_path / "mutant", *settings, mutant="seeded_by_the_clock")
    trained(nursery, tmp_path / "mutant", "--load", "run", "--expand", "3")
    assert not equal(tmp_path / "straight" / "run", tmp_path / "mutant" / "run")
    caught(24, "seeded by the clock")


def test_the_machine_sleeps(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], complete: bool) -> None:
    """A stopped process is what a sleeping machine leaves, seen from the process."""
    seconds, rounds = (60.0, 3) if complete else (1.0, 1)
    run, target = tmp_path / "run", 120
    child = nursery.mmrl(
        tmp_path, "train", *TINY, "-ne", str(target), "-pa", "5", "--name", "run", "--results", str(tmp_path)
    )
    for _ in range(rounds):
        before = newest(run)
        wait_until(lambda b=before: newest(run) > b or child.poll() is not None)
        child.signal(signal.SIGSTOP)
        time.sleep(0.05)  # until it has stopped
        asleep = newest(run)
        time.sleep(seconds)
        assert child.poll() is None and newest(run) == asleep < target
        assert read_status(run)["state"] == "running"
        second = nursery.mmrl(tmp_path, "train", "--load", "run", "--results", str(tmp_path))
        assert second.wait() == 4, second.text()  # it sleeps, and is still the owner
        child.signal(signal.SIGCONT)
    assert child.wait() == 0, child.text()
    (tmp_path / "straight").mkdir()
    trained(nursery, tmp_path / "straight", *TINY, "-ne", str(target), "--name", "run")
    assert equal(run, tmp_path / "straight" / "run")
    figure(24, f"stopped {rounds} times for {seconds:.0f} s: second owners refused; result",
           f"{rounds}/{rounds}; equal", "all; equal")  # fmt: skip
