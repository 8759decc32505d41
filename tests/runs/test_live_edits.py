"""Settings changed while a run trains: asked for in control.json, taken over, told, and kept by whoever resumes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs.config_file import read_config
from mmrl.runs.control import checked, clear_request, read_control, read_request, request
from mmrl.runs.episodes import episode_epochs
from mmrl.runs.status import ACKNOWLEDGED

SETTINGS = ["-nt", "40", "-nb", "8", "--layer-size", "8", "--threads", "1", "-pa", "0"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", "train", *SETTINGS, *arguments]


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def status(run: Path) -> dict[str, Any]:
    return json.loads((run / "status.json").read_text())


def test_values_are_checked_as_the_settings_are(tmp_path: Path) -> None:
    request(tmp_path, "run", ne=50, plot_after=0, lr=1)
    assert read_control(tmp_path) == {"want": "run", "set": {"ne": 50, "plot_after": 0, "lr": 1.0}}
    assert checked("ne", 50.0) == 50 and isinstance(checked("ne", 50.0), int)
    for wrong in ({"ne": 0}, {"ne": 1.5}, {"plot_after": -1}, {"lr": 0.0}, {"entropy": True}, {"seed": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            request(tmp_path, "run", **wrong)
    file = tmp_path / "control.json"
    file.write_text('{"want": "run", "set": {"ne": true, "plot_after": 2.5, "lr": NaN, "entropy": 0.5, "seed": 4}}')
    assert read_control(tmp_path)["set"] == {"entropy": 0.5}


def test_the_same_request_made_twice_is_two_requests(tmp_path: Path) -> None:
    assert read_request(tmp_path) == ({"want": "run", "set": {}}, "")
    request(tmp_path, "pause")
    first = read_request(tmp_path)
    request(tmp_path, "pause")
    second = read_request(tmp_path)
    assert first[0] == second[0] and first[1] != second[1]
    clear_request(tmp_path)
    clear_request(tmp_path)
    assert read_request(tmp_path)[1] == ""


def test_target_and_episodes_of_a_run_in_training(tmp_path: Path) -> None:
    run = tmp_path / "run"
    place = ["--results", str(tmp_path)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(command(*place, "-ne", "1000000", "--name", "run"), **quiet)  # type: ignore[call-overload]

    def wait_for(what: str, holds: Callable[[], bool]) -> None:
        deadline = time.time() + 120
        while not holds():
            assert time.time() < deadline and child.poll() is None, what
            time.sleep(0.05)

    try:
        wait_for("first epoch", lambda: (run / "metrics.jsonl").exists())
        request(run, "pause")
        wait_for("pause", lambda: status(run)["state"] == "paused")
        epoch = records(run)[-1]["epoch"]
        assert status(run)[ACKNOWLEDGED] == read_request(run)[1]
        request(run, "pause", ne=epoch + 4, plot_after=2)
        wait_for("new target", lambda: status(run)["target"] == epoch + 4)
        request(run, "run", entropy=0.125)
        assert child.wait(60) == 0
    finally:
        child.kill()
    assert status(run)["state"] == "finished" and status(run)[ACKNOWLEDGED] == read_request(run)[1]
    assert [r["epoch"] for r in records(run)][-1] == epoch + 4
    events = {r["epoch"]: r["event"] for r in records(run) if "event" in r}
    assert events == {epoch + 1: {"ne": epoch + 4, "plot_after": 2, "entropy": 0.125}}
    wanted = [e for e in range(epoch + 1, epoch + 5) if e % 2 == 0 or e == epoch + 4]
    assert episode_epochs(run) == wanted
    stored = read_config(run)
    assert (stored.config.training.ne, stored.config.run.plot_after) == (epoch + 4, 2)
    assert stored.config.training.entropy == 0.125 and stored.config.training.lr == 0.003
    assert stored.origins["training.ne"] == f"live edit, epoch {epoch + 1}"
    # what was carried out does not come back: neither an old target nor an old pause
    request(run, "pause", ne=epoch + 2)
    facts = {**status(run), ACKNOWLEDGED: read_request(run)[1]}
    facts.pop("digest", None)
    (run / "status.json").write_text(json.dumps(facts))
    load = [sys.executable, "-m", "cli", "train", *place, "--load", "run", "--expand", "2"]
    done = subprocess.run(load, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert records(run)[-1]["epoch"] == epoch + 6 and status(run)["state"] == "finished"


def test_a_shell_asks_for_changes_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mmrl.commands.runs import change
    from mmrl.runs.lock import RunLock
    from mmrl.runs.store import create
    from mmrl.settings.errors import ConfigError
    from mmrl.settings.sources import resolve

    config, origins = resolve({"run.results": str(tmp_path), "run.name": "run"})
    folder = create(config, origins)
    with pytest.raises(ConfigError, match="is not being trained"):
        change("run", ["lr=0.1"], str(tmp_path), False)
    (folder / "metrics.jsonl").write_text('{"epoch": 7}\n')
    with RunLock(folder):
        request(folder, "pause")
        change("run", ["lr=0.1", "training.ne=9"], str(tmp_path), True)
        assert json.loads(capsys.readouterr().out) == {"run": "run", "set": {"lr": 0.1, "ne": 9}}
        assert read_control(folder) == {"want": "pause", "set": {"lr": 0.1, "ne": 9}}
        for wrong, why in (
            ("lr=7", "training.lr = 7"),
            ("seed=1", "cannot be changed"),
            ("ne=7", "is reached already"),
        ):
            with pytest.raises(ConfigError, match=why):
                change("run", [wrong], str(tmp_path), False)
    assert read_control(folder)["set"] == {"lr": 0.1, "ne": 9}
