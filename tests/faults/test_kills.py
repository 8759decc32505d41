"""SIGKILL at random moments after a fresh checkpoint: the run goes on as if it had never been killed."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.runs.doctor import examine
from mmrl.runs.history import read_metrics
from mmrl.runs.manifest import entries_of, sound_manifest
from mmrl.runs.names import good_folder
from mmrl.runs.slots import held
from tests.faults.harness import TINY, Nursery, equal, newest, trained, wait_until


def test_killed_at_random(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], complete: bool) -> None:
    kills = int(os.environ.get("MMRL_KILLS", "200")) if complete else 2
    rng = random.Random(1)
    run = tmp_path / "run"
    lost, landed, gained, forgotten, child, began = 0, 0, 1000, 0, None, time.monotonic()
    settings = [*TINY, "-ne", "1000000", "--name", "run"]
    while landed < kills:
        before = newest(run)
        if before == 0:
            child = nursery.mmrl(tmp_path, "train", *settings, "--results", str(tmp_path), "-pa", "5")
        else:
            child = nursery.mmrl(tmp_path, "train", "--load", "run", "--results", str(tmp_path))
        wait_until(lambda b=before, c=child: newest(run) > b or c.poll() is not None)
        assert child.poll() is None, child.text()
        time.sleep(rng.random() * 2 * pace(run))  # two epochs and what is written down of them
        child.signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        rows = (run / "metrics.jsonl").read_bytes()
        trained_to, kept = rows.count(b"\n"), newest(run)
        assert kept > before
        landed, gained = landed + 1, min(gained, kept - before)
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
    figure(1, "SIGKILLs after a fresh checkpoint; corrupt; most epochs lost; fewest gained",
           f"{landed}; 0; {lost}; {gained}", "200; 0; <= 1; >= 1")  # fmt: skip
    seconds = (time.monotonic() - began) / kills
    figure(1, "epochs in all; metrics and weights of the run never killed; s a kill",
           f"{target}; equal; {seconds:.1f}", "equal")  # fmt: skip
    figure(1, "kills that left temporary files; still there after the next start", f"{forgotten}; 0", "0 there")


def pace(run: Path) -> float:
    """Seconds an epoch has taken of late, 0.06 while nobody knows."""
    wall = [row["wall"] for row in read_metrics(run / "metrics.jsonl")[-8:]]
    steps = sorted(b - a for a, b in itertools.pairwise(wall))
    return min(steps[len(steps) // 2], 0.2) if steps else 0.06


@pytest.mark.nightly
def test_killed_at_random_with_a_naive_save(nursery: Nursery, tmp_path: Path, caught: Callable[..., None]) -> None:
    """The mutant: without durable writes some kill of these leaves a torn run."""
    rng, run, torn, landed = random.Random(2), tmp_path / "run", 0, 0
    while landed < 200 and not torn:
        shutil.rmtree(run, ignore_errors=True)
        arguments = [*TINY, "-ne", "1000000", "--name", "run", "--results", str(tmp_path), "-pa", "1"]
        child = nursery.mmrl(tmp_path, "train", *arguments, mutant="naive_save")
        wait_until(lambda c=child: (run / "manifest.previous.json").exists() or c.poll() is not None)
        time.sleep(rng.random() * 0.05)
        child.signal(signal.SIGKILL)
        child.wait()
        landed += 1
        torn += any(one.kind != "note" for one in examine(run))
    assert torn
    caught(1, f"files written in place: torn by kill {landed}")


def test_every_command_goes_by_what_a_kill_left_in_a_slot(nursery: Nursery, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    run, left, places = results / "run", [], ["--results", str(results)]
    child = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "1000000", "--name", "run", *places)
    for _ in range(50):
        wait_until(lambda b=newest(run), c=child: newest(run) > b + 2 or c.poll() is not None)
        assert child.poll() is None, child.text()
        child.signal(signal.SIGKILL)
        child.wait()
        manifest = sound_manifest(run)[0]
        left = [saved.epoch for saved in held(run, manifest)[0]]
        if left:
            break
        child = nursery.mmrl(tmp_path, "train", "--load", "run", *places)
    committed = [entry["epoch"] for entry in entries_of(manifest)]
    assert left and left[-1] == newest(run) > committed[-1]
    found = examine(run)
    assert all(one.kind == "note" for one in found)
    assert [one.text for one in found if one.file == f"checkpoints/slot_{left[-1] % 2}"] == [
        f"has epoch {left[-1]}, after the newest checkpoint: a resume goes on from there"
    ]
    child = nursery.mmrl(tmp_path, "quote", "run", "--epoch", str(left[-1]), "--json", *places)
    assert child.wait() == 0 and json.loads(child.text())["epoch"] == left[-1], child.text()
    before = sorted(path.name for path in (run / "checkpoints").iterdir())
    child = nursery.mmrl(tmp_path, "train", "--load", "run", "-ne", str(left[-1] - 1), *places)
    assert child.wait() == 2 and f"has trained {left[-1]} epochs" in child.text(), child.text()
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == before
    child = nursery.mmrl(tmp_path, "runs", "promote", "run", *places)
    assert child.wait() == 0, child.text()
    copy = good_folder(results) / "run"
    assert newest(copy) == newest(run) == left[-1] and not list(copy.rglob("slot_*"))
    assert [entry["epoch"] for entry in entries_of(sound_manifest(run)[0])][-len(left) :] == left
