"""A run stopped anywhere and resumed is the run that was never stopped, byte for byte; without its state it is not."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.harness import TINY, Child, Nursery, newest, records, wait_until, weights

ALGORITHMS = {
    "ppo": [],
    "ppo-td": ["-td"],
    "reinforce": ["-np"],
    "reinforce-td": ["-np", "-td"],
    "ppo-plain": ["-na"],
}


SHORT = {("ppo", "compiled")}


def trained(nursery: Nursery, place: Path, *arguments: str, code: int = 0, **task: object) -> Child:
    child = nursery.mmrl(place, "train", "--results", str(place), "-pa", "5", *arguments, **task)
    assert child.wait() == code, child.text()
    return child


def stopped_and_resumed(nursery: Nursery, place: Path, settings: list[str], stops: list[int], **task: object) -> Path:
    """A run of the last epoch of `stops`, in as many processes."""
    trained(nursery, place, *settings, "-ne", str(stops[0]), "--name", "run")
    for before, after in itertools.pairwise(stops):
        trained(nursery, place, "--load", "run", "--expand", str(after - before), **task)
    return place / "run"


def equal(a: Path, b: Path) -> bool:
    return records(a) == records(b) and weights(a) == weights(b)


@pytest.mark.parametrize("engine", ["compiled", "tensor"])
@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
def test_resume_is_exact(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], algorithm: str, engine: str, complete: bool
) -> None:
    if not complete and (algorithm, engine) not in SHORT:
        pytest.skip("in make faults")
    settings = [*TINY, *ALGORITHMS[algorithm], "--engine", engine]
    for folder in ("straight", "parts", "twin"):
        (tmp_path / folder).mkdir()
    stops = [1, 7, 30, 60] if complete else [1, 4]
    trained(nursery, tmp_path / "straight", *settings, "-ne", str(stops[-1]), "--name", "run")
    run = stopped_and_resumed(nursery, tmp_path / "parts", settings, stops)
    assert equal(tmp_path / "straight" / "run", run)
    twin = stopped_and_resumed(nursery, tmp_path / "twin", settings, stops, mutant="no_random_state")
    assert not equal(tmp_path / "straight" / "run", twin)
    figure("8", f"resume of {algorithm} on {engine}: equal to uninterrupted; without random state", "equal; differs")


@pytest.mark.slow_fault
def test_repeated(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], complete: bool) -> None:
    hashes = set()
    for k in range(5 if complete else 2):
        place = tmp_path / str(k)
        place.mkdir()
        trained(nursery, place, *TINY, "-ne", "5", "--name", "run")
        hashes.add(weights(place / "run"))
    assert len(hashes) == 1
    child = trained(nursery, place, "--load", "run", "--expand", "1", "--threads", "2")
    assert "not bit for bit" in child.text() and "threads 1 -> 2" in child.text()
    figure("9", "distinct results of one seed; another thread count is said", f"{len(hashes)}; yes")


@pytest.mark.slow_fault
def test_hash_seeds(tmp_path: Path, figure: Callable[..., None]) -> None:
    import subprocess
    import sys

    hashes = set()
    for seed in range(3):
        command = [sys.executable, "-m", "cli", "train", *TINY, "-ne", "5", "--name", f"run{seed}"]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        subprocess.run([*command, "--results", str(tmp_path)], env=environment, check=True, capture_output=True)
        hashes.add(weights(tmp_path / f"run{seed}"))
    assert len(hashes) == 1
    figure("9", "distinct results in fresh processes with PYTHONHASHSEED 0 to 2", len(hashes))


def test_killed_at_random(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], complete: bool) -> None:
    kills = int(os.environ.get("MMRL_KILLS", "200")) if complete else 5
    rng = random.Random(1)
    run = tmp_path / "run"
    lost, landed, forgotten, child, began = 0, 0, 0, None, time.monotonic()
    settings = [*TINY, "-ne", "1000000", "--name", "run"]
    while landed < kills:
        before = newest(run)
        if before == 0:
            child = nursery.mmrl(tmp_path, "train", *settings, "--results", str(tmp_path), "-pa", "5")
        else:
            child = nursery.mmrl(tmp_path, "train", "--load", "run", "--results", str(tmp_path))
        wait_until(lambda b=before, c=child: newest(run) > b or c.poll() is not None)
        assert child.poll() is None, child.text()
        time.sleep(rng.random() * 0.06)  # two epochs and what is written down of them
        child.signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        rows = (run / "metrics.jsonl").read_bytes()
        trained_to, kept = rows.count(b"\n"), newest(run)
        assert kept > before
        landed += 1
        lost = max(lost, trained_to - kept)
        forgotten += any((run / "checkpoints").glob(".*.tmp")) or any(run.glob(".*.tmp"))
    target = newest(run) + 2
    text = (run / "config.toml").read_text()
    body = text[text.index("\n") : text.index("# sha256")].replace("ne = 1000000", f"ne = {target}")
    (run / "config.toml").write_text(body)
    child = trained(nursery, tmp_path, "--load", "run")
    assert not list(run.rglob(".*.tmp"))
    assert "damaged" not in child.text(), child.text()
    straight = tmp_path / "straight"
    straight.mkdir()
    trained(nursery, straight, *TINY, "-ne", str(target), "--name", "run")
    assert lost <= 1 and equal(run, straight / "run")
    figure("1", "SIGKILLs that landed after a fresh checkpoint; corrupt; most epochs lost", f"{landed}; 0; {lost}")
    figure(
        "1",
        "epochs trained in all; equal to the run never killed; s a kill",
        f"{target}; yes; {(time.monotonic() - began) / kills:.1f}",
    )
    figure("1", "kills that left temporary files, removed by the next start", forgotten)


@pytest.mark.slow_fault
def test_killed_at_random_with_a_naive_save(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    """The mutant: without durable writes some kill of these leaves a torn run."""
    rng, run, torn, landed = random.Random(2), tmp_path / "run", 0, 0
    while landed < 40 and not torn:
        shutil.rmtree(run, ignore_errors=True)
        arguments = [*TINY, "-ne", "1000000", "--name", "run", "--results", str(tmp_path), "-pa", "1"]
        child = nursery.mmrl(tmp_path, "train", *arguments, mutant="naive_save")
        wait_until(lambda c=child: (run / "manifest.previous.json").exists() or c.poll() is not None)
        time.sleep(rng.random() * 0.05)
        child.signal(signal.SIGKILL)
        child.wait()
        landed += 1
        doctor = nursery.mmrl(tmp_path, "runs", "doctor", "run", "--results", str(tmp_path), "--json")
        torn += doctor.wait() != 0 or "repaired" in doctor.text()
    assert torn
    figure("1", "kills of a run that saves in place (mutant) until one was torn", landed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], number: int, code: int, complete: bool
) -> None:
    import json

    rng, run, seconds = random.Random(number), tmp_path / "run", []
    rounds = 25 if complete else 1
    for k in range(rounds):
        start = ["--load", "run"] if k else [*TINY, "-ne", "1000000", "--name", "run", "-pa", "0"]
        before = newest(run)
        child = nursery.mmrl(tmp_path, "train", *start, "--results", str(tmp_path))
        wait_until(lambda b=before, c=child: newest(run) > b or c.poll() is not None)
        time.sleep(rng.random() * 0.1)
        began = time.monotonic()
        child.signal(number)
        assert child.wait() == code, child.text()
        seconds.append(time.monotonic() - began)
        status = json.loads((run / "status.json").read_text())
        assert status["state"] == "interrupted" and status["epoch"] == newest(run) == len(records(run))
    assert max(seconds) < 4
    figure("7", f"{signal.Signals(number).name}: exit {code} and status right; median and most seconds",
           f"{rounds}/{rounds}; {sorted(seconds)[rounds // 2]:.2f}, {max(seconds):.2f}")  # fmt: skip


@pytest.mark.slow_fault
def test_a_second_signal_leaves_at_once(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    run = tmp_path / "run"
    settings = [*TINY, "-nt", "3000", "-nb", "3000", "-ne", "1000000", "--name", "run", "-pa", "0"]  # long epochs
    child = nursery.mmrl(tmp_path, "train", *settings, "--results", str(tmp_path))
    wait_until(lambda: (run / "status.json").exists() and '"running"' in (run / "status.json").read_text())
    time.sleep(1.0)
    began = time.monotonic()
    child.signal(signal.SIGINT)
    time.sleep(0.1)
    child.signal(signal.SIGINT)
    assert child.wait(60) == 130, child.text()
    took = time.monotonic() - began
    assert took < 6
    shown = nursery.mmrl(tmp_path, "runs", "show", "run", "--results", str(tmp_path))
    assert shown.wait() == 0 and "interrupted" in shown.text()
    figure("7", "second SIGINT during an epoch of 9 million steps: seconds to leave", f"{took:.2f}")
