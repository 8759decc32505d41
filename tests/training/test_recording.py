"""An epoch is written while the next one is played, and the last one before the process ends."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mmrl.bench.epoch import NoView
from mmrl.learn import trainer as module
from mmrl.learn.trainer import Trainer
from mmrl.rollout import compiled
from mmrl.runs import store
from mmrl.runs.checkpoint import load
from mmrl.runs.history import History, read_metrics
from mmrl.runs.status import read_raw
from mmrl.settings.model import Config
from mmrl.training.loop import TrainingProcess
from mmrl.training.signals import Interruption


@pytest.mark.parametrize(("threads", "engine"), [(1, "compiled"), (2, "compiled"), (2, "tensor")])
def test_an_epoch_is_on_disk_while_the_next_one_is_played_and_before_it_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, engine: str
) -> None:
    config = Config.of("quickstart", nt=20, nb=4, ne=4, results=str(tmp_path), threads=threads, engine=engine)
    folder = store.begin(config, {}).folder
    caller, in_turn, rollout, update = threading.get_ident(), compiled._in_turn, Trainer.rollout, module.update
    epochs: list[int] = []
    writers, played, learned = set(), set(), []
    write = History.write

    def noted(self: History, *records: dict[str, Any]) -> None:
        writers.add(threading.get_ident() == caller)
        write(self, *records)

    def begun(self: Trainer, epoch: int) -> Any:
        epochs.append(epoch)
        return rollout(self, epoch)

    def playing(*given: Any) -> None:
        """The rollout of this thread, once the epoch before is on disk, for which another thread has time."""
        if epochs and threading.get_ident() == caller:
            end = time.monotonic() + 20
            while load(folder)[0] < epochs[-1] - 1 and time.monotonic() < end:
                time.sleep(0.001)
            played.add((epochs[-1], load(folder)[0]))
        in_turn(*given)

    def learning(*given: Any, **named: Any) -> Any:
        learned.append((load(folder)[0], len(read_metrics(folder / "metrics.jsonl"))))
        return update(*given, **named)

    monkeypatch.setattr(History, "write", noted)
    monkeypatch.setattr(Trainer, "rollout", begun)
    monkeypatch.setattr(compiled, "_in_turn", playing)
    monkeypatch.setattr(module, "update", learning)
    assert TrainingProcess(config, {}, folder, NoView(), Interruption()).work() == 0
    assert learned == [(0, 0), (1, 1), (2, 2), (3, 3)] and load(folder)[0] == 4
    if engine == "compiled":
        assert {(2, 1), (3, 2), (4, 3)} <= played
        assert writers == ({True} if threads == 1 else {True, False})  # the last epoch by the one that ends the run
    else:
        assert writers == {True}


def test_an_epoch_that_cannot_be_written_ends_the_training_before_the_next_one_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.of("quickstart", nt=20, nb=4, ne=4, results=str(tmp_path), threads=2)
    folder = store.begin(config, {}).folder
    write, update, updates = History.write, module.update, []

    def failing(self: History, *records: dict[str, Any]) -> None:
        if records[0]["epoch"] == 2:
            raise OSError(28, "No space left on device", str(self.path))
        write(self, *records)

    def learning(*given: Any, **named: Any) -> Any:
        updates.append(1)
        return update(*given, **named)

    monkeypatch.setattr(History, "write", failing)
    monkeypatch.setattr(module, "update", learning)
    assert TrainingProcess(config, {}, folder, NoView(), Interruption()).work() == 1
    assert len(updates) == 2 and load(folder)[0] == 1 and read_raw(folder)["state"] == "failed"
    assert "No space left" in read_raw(folder)["error"] and len(read_metrics(folder / "metrics.jsonl")) == 1
