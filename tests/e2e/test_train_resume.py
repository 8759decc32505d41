"""The real command: a run stopped and resumed equals one that never stopped, bit for bit."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

# so large a learning rate that the first epoch stays the best
SETTINGS = ["-nt", "40", "-nb", "8", "--layer-size", "8", "--set", "minibatches=2", "--threads", "2", "-pa", "2"]
SETTINGS += ["-lr", "1", "--seed", "15"]
MEASURED = ("seconds_rollout", "seconds_update", "steps_per_second", "wall")


def mmrl(*arguments: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **kwargs)  # type: ignore


def records(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in MEASURED} for line in lines]


def weights(folder: Path, epoch: int) -> str:
    return hashlib.sha256((folder / "checkpoints" / f"{epoch:06d}.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("straight")
    done = mmrl("train", *SETTINGS, "-ne", "6", "--results", str(root), "--name", "run", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["epoch"] for line in lines[:-1]] == [1, 2, 3, 4, 5, 6]
    assert lines[-1]["state"] == "finished" and lines[-1]["epochs"] == 6 and lines[-1]["run"] == "run"
    return root / "run"


def test_json_has_every_promised_key(straight: Path) -> None:
    promised = {
        *("epoch", "steps", "reward_mean", "reward_std", "value_mean", "value_std", "inventory_mean"),
        *("inventory_abs_mean", "spread_mean", "length_mean", "policy_loss", "value_loss", "entropy", "kl"),
        *("clip_fraction", "explained_variance", "grad_norm", "learning_rate", "seconds_rollout"),
        *("seconds_update", "steps_per_second"),
    }
    first = json.loads((straight / "metrics.jsonl").read_text().splitlines()[0])
    assert promised <= set(first)
    assert first["steps"] == 8 * 40 and first["length_mean"] == 40


def test_stopped_and_resumed_equals_uninterrupted(straight: Path, tmp_path: Path) -> None:
    arguments = ["train", *SETTINGS, "--results", str(tmp_path), "--name", "run"]
    done = mmrl(*arguments, "-ne", "2")
    assert done.returncode == 0, done.stderr
    done = mmrl("train", "--load", "run", "--results", str(tmp_path), "--expand", "4", "--json")
    assert done.returncode == 0, done.stderr
    first = max(records(straight), key=lambda row: float(str(row["grade"])))
    assert first["epoch"] in (1, 2), "the best epoch lies before the stop, or this shows nothing"
    assert json.loads(done.stdout.splitlines()[-1])["best"] == {key: first[key] for key in ("value_mean", "epoch")}
    rows = records(tmp_path / "run")
    assert rows[2].pop("event") == {"ne": 6}  # that it was expanded is all that tells them apart
    assert rows == records(straight)
    assert weights(tmp_path / "run", 6) == weights(straight, 6)


@pytest.mark.parametrize(
    ("change", "best"), [("reward.discount=0.9", 3), pytest.param("training.lr=0.5", 1, marks=pytest.mark.nightly)]
)
def test_another_reward_forgets_the_best_grade(change: str, best: int, tmp_path: Path) -> None:
    """The best epoch, 1, was found under the old reward; a learning rate does not change what is asked for."""
    arguments = ["train", *SETTINGS, "--results", str(tmp_path), "--name", "run", "-ne", "2"]
    assert mmrl(*arguments).returncode == 0
    done = mmrl("train", "--load", "run", "--results", str(tmp_path), "--expand", "1", "--set", change)
    assert done.returncode == 0, done.stderr
    grades = [float(str(row["grade"])) for row in records(tmp_path / "run")]
    assert grades[0] > max(grades[1:])
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["best_epoch"] == best


def test_sigint_finishes_the_epoch_and_the_same_command_goes_on(tmp_path: Path) -> None:
    arguments = ["train", *SETTINGS, "-nt", "400", "-ne", "100000", "--results", str(tmp_path), "--name", "run"]
    child = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.time() + 120
    while time.time() < deadline and not (metrics.exists() and metrics.stat().st_size > 0):
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGINT)
    assert child.wait(60) == 130
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    epochs = [r["epoch"] for r in records(tmp_path / "run")]
    assert status["state"] == "interrupted"
    assert epochs == list(range(1, status["epoch"] + 1))
    assert (tmp_path / "run" / "checkpoints" / f"{status['epoch']:06d}.safetensors").exists()


def test_unknown_device_is_refused_in_one_line_before_anything_is_created(tmp_path: Path) -> None:
    done = mmrl("train", "--device", "cuda", "--results", str(tmp_path / "results"))
    if done.returncode == 0:
        pytest.skip("this machine has CUDA")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "cpu" in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_rule_that_an_engine_lacks_is_refused_before_anything_is_created(tmp_path: Path) -> None:
    done = mmrl("train", "--preset", "lineage", "--engine", "tensor", "--results", str(tmp_path / "results"))
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [done.stderr.strip()] and "--engine compiled" in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_run_in_use_is_refused(straight: Path) -> None:
    from mmrl.runs.lock import RunLock

    with RunLock(straight):
        done = mmrl("train", "--load", str(straight))
    assert done.returncode == 4, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_its_random_state_a_resumed_run_differs(straight: Path, tmp_path: Path) -> None:
    """The negative twin: what makes resume exact is the state in the checkpoint, not luck."""
    from mmrl.learn.trainer import Trainer
    from mmrl.runs.checkpoint import load, split
    from mmrl.runs.config_file import read_config
    from mmrl.settings.sources import replaced

    config = replaced(read_config(straight).config, {"training.ne": 6})
    _, saved, _ = load(straight)

    def trained(forget: bool) -> dict[str, np.ndarray]:
        first = Trainer(config)
        list(first.run(2))
        second = Trainer(config)
        fresh = second.state_dict()["minibatch_rng"]
        state = first.state_dict()
        second.load_state_dict({**state, "minibatch_rng": fresh} if forget else state)
        list(second.run(6))
        tensors: dict[str, np.ndarray] = {}
        split(second.state_dict()["policy"], "", tensors)
        return tensors

    expected: dict[str, np.ndarray] = {}
    split(saved["trainer"]["policy"], "", expected)
    same, other = trained(forget=False), trained(forget=True)
    assert all(np.array_equal(same[k], expected[k]) for k in expected)
    assert any(not np.array_equal(other[k], expected[k]) for k in expected)


def test_live_edits_pause_and_stop_through_the_control_file(tmp_path: Path) -> None:
    from mmrl.runs.control import request

    run = tmp_path / "run"
    arguments = ["train", *SETTINGS, "-ne", "1000000", "--results", str(tmp_path), "--name", "run"]
    child = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def wait_for(what: str, holds: Callable[[], bool]) -> None:
        deadline = time.time() + 120
        while not holds():
            assert time.time() < deadline and child.poll() is None, what
            time.sleep(0.05)

    def state() -> str:
        return json.loads((run / "status.json").read_text())["state"]

    try:
        wait_for("first epoch", lambda: (run / "metrics.jsonl").exists())
        request(run, "pause", lr=0.001)
        wait_for("pause", lambda: state() == "paused")
        epochs = len(records(run))
        time.sleep(0.5)
        assert len(records(run)) == epochs
        request(run, "run")
        wait_for("going on", lambda: len(records(run)) > epochs + 2)
        request(run, "stop")
        assert child.wait(60) == 0
    finally:
        child.kill()
    assert state() == "interrupted"
    changed = [r for r in records(run) if "event" in r]
    assert [r["event"] for r in changed] == [{"lr": 0.001}]
    assert changed[0]["learning_rate"] == 0.001
    assert records(run)[0]["learning_rate"] != 0.001


def test_a_loaded_run_takes_new_settings_but_not_other_networks(straight: Path, tmp_path: Path) -> None:
    import shutil

    from mmrl.runs.config_file import read_config

    shutil.copytree(straight, tmp_path / "run")
    done = mmrl("train", "--load", "run", "--results", str(tmp_path), "--layers", "3")
    assert done.returncode == 2 and "policy.layers = 3" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    done = mmrl("train", "--load", "run", "--results", str(tmp_path), "--expand", "1", "-lr", "0.001")
    assert done.returncode == 0, done.stderr
    assert [r["learning_rate"] for r in records(tmp_path / "run")][-2:] == [1.0, 0.001]
    stored = read_config(tmp_path / "run")
    assert stored.config.training.lr == 0.001 and stored.config.training.ne == 7
