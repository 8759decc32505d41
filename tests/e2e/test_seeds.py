"""The real commands: several seeds side by side, stopped, killed, resumed; a sweep whose worker is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs import groups, listing
from mmrl.runs.lock import is_locked
from tests.e2e.test_train_resume import SETTINGS, mmrl, records, weights

ARGUMENTS = ["train", *SETTINGS[:-2], "--threads", "1"]


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=environment
    )


def reached(folder: Path, epoch: int) -> None:
    deadline = time.monotonic() + 300  # kernels may have to be compiled
    while not folder.is_dir() or listing.describe(folder).epoch < epoch:
        assert time.monotonic() < deadline, f"{folder.name} never reaches epoch {epoch}"
        time.sleep(0.05)


def at_rest(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while is_locked(folder):
        assert time.monotonic() < deadline, f"{folder.name} is still trained"
        time.sleep(0.05)


def test_seeds_are_stopped_together_and_end_as_if_each_had_been_alone(tmp_path: Path) -> None:
    group = [*ARGUMENTS, "--seeds", "2-3", "--name", "two", "--results", str(tmp_path), "-ne", "40", "--json"]
    training = start(*group, cwd=tmp_path)
    reached(tmp_path / "two-seed2", 2)
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=60)
    assert training.returncode == 130, err
    assert all(info.state == "interrupted" for info in groups.members("two", tmp_path)), err
    assert listing.describe(tmp_path / "two-seed2").epoch < 40, "it was too fast to be stopped"
    done = mmrl(*group)
    assert done.returncode == 0, done.stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(line["run"], line["seed"]) for line in lines[:-1]} == {("two-seed2", 2), ("two-seed3", 3)}
    assert lines[-1]["group"] == "two" and lines[-1]["state"] == "finished" and lines[-1]["runs"] == 2
    before = [json.loads(line) for line in out.splitlines()]
    told = [line for line in before + lines if line.get("run") == "two-seed2" and "state" not in line]
    epochs = [line["epoch"] for line in told]
    assert epochs == list(range(1, 41))
    alone = mmrl(*ARGUMENTS, "--seed", "3", "--name", "alone", "--results", str(tmp_path), "-ne", "40")
    assert alone.returncode == 0, alone.stderr
    assert records(tmp_path / "two-seed3") == records(tmp_path / "alone")
    assert weights(tmp_path / "two-seed3", 40) == weights(tmp_path / "alone", 40)


@pytest.mark.nightly
def test_a_killed_command_leaves_runs_that_stop_and_go_on(tmp_path: Path) -> None:
    group = [*ARGUMENTS, "--seeds", "0-1", "--name", "two", "--results", str(tmp_path), "-ne", "4000"]
    training = start(*group, cwd=tmp_path)
    reached(tmp_path / "two-seed0", 3)
    training.kill()
    training.communicate()
    for seed in (0, 1):
        at_rest(tmp_path / f"two-seed{seed}")  # nobody reads what they say any more
    stopped = listing.describe(tmp_path / "two-seed0")
    assert stopped.state == "interrupted" and 3 <= stopped.epoch < 4000
    again = start(*group, cwd=tmp_path)
    reached(tmp_path / "two-seed0", stopped.epoch + 1)
    again.send_signal(signal.SIGTERM)
    assert again.wait(60) == 143
    again.communicate()
    at_rest(tmp_path / "two-seed0")


@pytest.mark.nightly
@pytest.mark.skipif(find_spec("optuna") is None, reason="the extra sweep is not installed")
def test_the_trial_of_a_killed_worker_is_ended_by_another(tmp_path: Path) -> None:
    spec = 'objective = "grade"\ntrials = 3\nprune = false\n[settings]\nnt = 40\nnb = 8\nne = 150\nlayer_size = 8\n'
    (tmp_path / "look.toml").write_text(spec + "threads = 1\n[search]\nlr = { low = 1e-3, high = 0.1, log = true }\n")
    arguments = ["sweep", str(tmp_path / "look.toml"), "--results", str(tmp_path), "--jobs", "1", "--json"]
    first = start(*arguments, cwd=tmp_path)
    reached(tmp_path / "look-0", 2)
    second = start(*arguments, cwd=tmp_path)
    first.kill()
    first.communicate()
    out, err = second.communicate(timeout=300)
    assert second.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert [trial["state"] for trial in summary["trials"]] == ["complete"] * 3
    for number in range(3):
        epochs = [row["epoch"] for row in records(tmp_path / f"look-{number}")]
        assert epochs == list(range(1, 151)), number
    best = max(float(str(row["grade"])) for number in range(3) for row in records(tmp_path / f"look-{number}"))
    assert summary["best"]["value"] == best


@pytest.mark.nightly
@pytest.mark.skipif(find_spec("optuna") is None, reason="the extra sweep is not installed")
def test_a_sweep_that_is_killed_with_its_training_goes_on_and_leaves_nothing_behind(tmp_path: Path) -> None:
    spec = 'objective = "grade"\ntrials = 2\nprune = false\n[settings]\nnt = 40\nnb = 8\nne = 100\nlayer_size = 8\n'
    (tmp_path / "look.toml").write_text(spec + "threads = 1\n[search]\nlr = { low = 1e-3, high = 0.1, log = true }\n")
    arguments = ["sweep", str(tmp_path / "look.toml"), "--results", str(tmp_path), "--jobs", "1", "--json"]
    first = start(*arguments, cwd=tmp_path)
    reached(tmp_path / "look-0", 2)
    first.kill()  # before its training, whose end it would write down
    os.kill(json.loads((tmp_path / "look-0" / "status.json").read_text())["pid"], signal.SIGKILL)
    first.communicate()
    at_rest(tmp_path / "look-0")
    killed = listing.describe(tmp_path / "look-0")
    assert killed.state == "crashed" and 2 <= killed.epoch < 100
    [left] = (tmp_path / "look" / "workers").iterdir()
    out, err = start(*arguments, cwd=tmp_path).communicate(timeout=300)
    assert [trial["state"] for trial in json.loads(out.splitlines()[-1])["trials"]] == ["complete"] * 2, err
    for number in range(2):
        epochs = [row["epoch"] for row in records(tmp_path / f"look-{number}")]
        assert epochs == list(range(1, 101)), number
    assert not left.exists() and list((tmp_path / "look" / "workers").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["look", "look-0", "look-1", "look.toml"]
    assert {path.name for path in (tmp_path / "look").iterdir()} == {"journal.log", "lock", "sweep.toml", "workers"}
