"""SIGINT and SIGTERM: the epoch is finished and kept; a second one leaves at once and loses that epoch alone."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.runs.status import read_status
from tests.faults.harness import TINY, Child, Nursery, newest, records, wait_until


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], number: int, code: int, complete: bool
) -> None:
    rng, run, seconds = random.Random(number), tmp_path / "run", []
    rounds = 25 if complete else 1
    for k in range(rounds):
        start = ["--load", "run"] if k else [*TINY, "-ne", "1000000", "--name", "run", "-pa", "0"]
        child, took = signalled(nursery, tmp_path, start, number, rng)
        assert child.wait() == code, child.text()
        seconds.append(took)
        assert orderly(run)
    assert max(seconds) < 4
    middle, most = sorted(seconds)[rounds // 2], max(seconds)
    figure(7, f"{signal.Signals(number).name}: exit {code}, status and checkpoint right; median, most seconds",
           f"{rounds}/{rounds}; {middle:.2f}, {most:.2f}", "all; an epoch + 2 s")  # fmt: skip


def signalled(
    nursery: Nursery, place: Path, start: list[str], number: int, rng: random.Random, **task: object
) -> tuple[Child, float]:
    """A training process that got a signal after a new epoch, and the seconds it took to end."""
    before = newest(place / "run")
    child = nursery.mmrl(place, "train", *start, "--results", str(place), **task)
    wait_until(lambda: newest(place / "run") > before or child.poll() is not None)
    time.sleep(rng.random() * 0.1)
    began = time.monotonic()
    child.signal(number)
    child.wait()
    return child, time.monotonic() - began


def orderly(run: Path) -> bool:
    """Whether the run ended after an epoch that it has kept, and says so."""
    status = read_status(run)
    return status["state"] == "interrupted" and status["epoch"] == newest(run) == len(records(run))


@pytest.mark.nightly
def test_signals_left_to_the_system_are_caught(nursery: Nursery, tmp_path: Path, caught: Callable[..., None]) -> None:
    start = [*TINY, "-ne", "1000000", "--name", "run", "-pa", "0"]
    child, _ = signalled(nursery, tmp_path, start, signal.SIGTERM, random.Random(1), mutant="deaf")
    assert child.code == -signal.SIGTERM and not orderly(tmp_path / "run")
    caught(7, f"no handler: killed by SIGTERM, the run is {read_status(tmp_path / 'run')['state']}")


def second_signal(nursery: Nursery, place: Path, mutant: str) -> tuple[Child, float]:
    """Two SIGINTs in the midst of a long epoch, and the seconds to the end of the process, or 20."""
    place.mkdir()
    start = [*TINY, "-ne", "1000000", "--name", "run", "-pa", "0", "--results", str(place)]
    child = nursery.mmrl(place, "train", *start, mutant=mutant)
    wait_until(lambda: ("IN COMPILED CODE" in child.text() and newest(place / "run") == 1) or child.poll() is not None)
    began = time.monotonic()
    child.signal(signal.SIGINT)
    time.sleep(0.1)
    child.signal(signal.SIGINT)
    while child.poll() is None and time.monotonic() < began + 6:
        time.sleep(0.01)
    took = time.monotonic() - began
    child.signal(signal.SIGKILL)
    child.wait()
    return child, took


def test_a_second_signal_leaves_at_once(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None], complete: bool
) -> None:
    child, took = second_signal(nursery, tmp_path / "good", "long_epochs")
    assert child.code == 130 and took < 6, child.text()
    assert orderly(tmp_path / "good" / "run")
    figure(
        7, "second SIGINT within a long epoch: exit 130, nothing but the epoch lost; seconds", f"{took:.2f}", "at once"
    )
    if complete:
        child, took = second_signal(nursery, tmp_path / "mutant", "patient")
        assert child.code == -signal.SIGKILL
        caught(7, "second signal heard between epochs only: still there after 6 s")
