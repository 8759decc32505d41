"""An epoch is written while the next one computes, and the last one before the process ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from mmrl.bench.epoch import NoView
from mmrl.learn.trainer import Trainer
from mmrl.runs import store
from mmrl.runs.checkpoint import load
from mmrl.runs.history import read_metrics
from mmrl.settings.model import Config
from mmrl.training.loop import TrainingProcess
from mmrl.training.signals import Interruption


def test_an_epoch_is_on_disk_before_the_next_one_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.of("quickstart", nt=20, nb=4, ne=3, results=str(tmp_path))
    folder = store.begin(config, {}).folder
    step, seen = Trainer.step, []

    def slow(self: Trainer) -> Any:
        if self.epoch:
            end = time.monotonic() + 20
            while load(folder)[0] < self.epoch and time.monotonic() < end:
                time.sleep(0.01)
            seen.append((load(folder)[0], len(read_metrics(folder / "metrics.jsonl"))))
        return step(self)

    monkeypatch.setattr(Trainer, "step", slow)
    assert TrainingProcess(config, {}, folder, NoView(), Interruption()).work() == 0
    assert seen == [(1, 1), (2, 2)] and load(folder)[0] == 3
