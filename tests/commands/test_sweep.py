"""A worker of a sweep: which ends of trainings, one after the other, end it. No training runs: ends are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli import main
from mmrl.commands.sweep import DIVERGED, KILLED, Worker
from mmrl.training.children import Heard

FAILED, COMPLETE, PRUNED, SIGKILL = 1, 0, 143, -9


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A worker, what it told its study and its board, and a way to tell it of an end."""
    found = SimpleNamespace(states=[], notes=[], begun=[])
    study: Any = SimpleNamespace(
        end=lambda trial, state: found.states.append(state), put_down=lambda trial: found.states.append("stopped")
    )
    board: Any = SimpleNamespace(state=lambda name, state: None, note=found.notes.append)
    found.worker = Worker(study, board, target=9, at_once=1)
    monkeypatch.setattr(found.worker, "_train", lambda name, trial: found.begun.append(name))

    def end(name: str, code: int, state: str) -> None:
        found.worker.trials[name] = SimpleNamespace(folder=tmp_path / name)
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setattr("mmrl.runs.listing.describe", lambda folder: SimpleNamespace(state=state))
        found.worker._take(Heard(name, "ended", code), stopping=False)

    found.end = end
    return found


@pytest.mark.parametrize(
    ("ends", "failures", "states"),
    [
        ((FAILED, FAILED, FAILED), 3, ["failed"] * 3),
        ((FAILED, COMPLETE, FAILED), 1, ["failed", "complete", "failed"]),
        ((FAILED, FAILED, PRUNED, FAILED), 1, ["failed", "failed", "pruned", "failed"]),
        ((FAILED, DIVERGED, DIVERGED, FAILED), 1, ["failed"] * 4),
    ],
)
def test_only_failures_one_after_the_other_are_counted(
    told: Any, ends: tuple[int, ...], failures: int, states: list[str]
) -> None:
    for number, code in enumerate(ends):
        if code == PRUNED:
            told.worker.pruned.add(f"trial {number}")
        told.end(f"trial {number}", code, "finished" if code == COMPLETE else "failed")
    assert (told.worker.failures, told.states) == (failures, states)


@pytest.mark.parametrize("code", [0, 130, 143])
def test_a_trial_that_somebody_stops_is_put_down_not_complete(told: Any, code: int) -> None:
    told.end("trial 0", code, "interrupted")
    assert told.states == ["stopped"] and told.worker.trials == {} and told.worker.failures == 0
    assert told.notes == ["trial 0: somebody has stopped it: the next mmrl sweep goes on with it"]


def test_a_killed_training_goes_on_and_counts_as_failed_in_the_end(told: Any) -> None:
    for _ in range(KILLED + 1):
        told.end("trial 0", SIGKILL, "crashed")
    assert told.begun == ["trial 0"] * KILLED and told.states == ["failed"] and told.worker.failures == 1
    assert told.notes[0] == "trial 0: killed by SIGKILL, often for lack of memory: it goes on from its last epoch"
    assert told.notes[-1] == "trial 0: killed by SIGKILL, often for lack of memory, 3 times: it counts as failed"


def test_a_sweep_is_refused_under_torchrun(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit) as ended:
        main(["sweep", "nowhere.toml"])
    assert ended.value.code == 2 and "does not work under torchrun" in capsys.readouterr().err


def test_what_a_spec_asks_for_names_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for line, words in (
        ('objective = "optimality"', "look.toml: objective = 'optimality': market book has no exact optimum"),
        ('objective = "grade"\nmarket_file = "x.toml"', "look.toml: market_file = x.toml cannot be read"),
    ):
        Path("look.toml").write_text(f"{line}\n[search]\nlr = [0.1, 0.2]\n")
        with pytest.raises(SystemExit) as ended:
            main(["sweep", "look.toml"])
        assert ended.value.code == 2 and words in capsys.readouterr().err
    assert not Path("results").exists()
