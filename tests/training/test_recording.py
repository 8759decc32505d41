"""An epoch is written while the next one is played, and the last one before the process ends."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mmrl.api.training import _Listener
from mmrl.bench.epoch import NoView
from mmrl.display.detached import LoggedView
from mmrl.display.json_lines import JsonView
from mmrl.display.live import LiveView
from mmrl.display.plain import PlainView
from mmrl.learn.trainer import Trainer
from mmrl.learn.update import update
from mmrl.rollout import compiled
from mmrl.runs import store
from mmrl.runs.checkpoint import load
from mmrl.runs.history import History, read_metrics
from mmrl.runs.status import read_raw
from mmrl.settings.model import Config
from mmrl.training.loop import TrainingProcess
from mmrl.training.signals import Interruption
from mmrl.training.trackers import Tracked


@pytest.mark.parametrize(("threads", "engine"), [(1, "compiled"), (2, "compiled"), (2, "tensor")])
def test_an_epoch_is_on_disk_while_the_next_one_is_played_and_before_it_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, engine: str
) -> None:
    config = Config.of("quickstart", nt=20, nb=4, ne=4, results=str(tmp_path), threads=threads, engine=engine)
    folder = store.begin(config, {}).folder
    caller, in_turn, rollout = threading.get_ident(), compiled._in_turn, Trainer.rollout
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
    monkeypatch.setattr("mmrl.learn.trainer.update", learning)
    assert TrainingProcess(config, {}, folder, NoView(), Interruption()).work() == 0
    assert learned == [(0, 0), (1, 1), (2, 2), (3, 3)] and load(folder)[0] == 4
    if engine == "compiled":
        assert {(2, 1), (3, 2), (4, 3)} <= played
        assert writers == ({True} if threads == 1 else {True, False})  # the last epoch by the one that ends the run
    else:
        assert writers == {True}


@pytest.mark.parametrize("instant", [True, False])
def test_who_may_act_on_an_epoch_hears_of_it_once_it_is_on_disk(tmp_path: Path, instant: bool) -> None:
    config = Config.of("quickstart", nt=20, nb=4, ne=3, results=str(tmp_path), threads=2)
    folder = store.begin(config, {}).folder
    seen = []

    class Watching(NoView):
        def epoch(self, record: Any) -> None:  # type: ignore[override]
            seen.append((record["epoch"], len(read_metrics(folder / "metrics.jsonl"))))

    view = Watching()
    view.instant = instant
    assert TrainingProcess(config, {}, folder, view, Interruption()).work() == 0
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert instant or seen == [(1, 1), (2, 2), (3, 3)]
    assert load(folder)[0] == 3


def test_only_the_live_charts_hear_of_an_epoch_before() -> None:
    views: list[Any] = [LiveView, PlainView, LoggedView, JsonView, Tracked, _Listener]
    assert [view for view in views if view.instant] == [LiveView]


def test_an_epoch_that_cannot_be_written_ends_the_training_before_the_next_one_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.of("quickstart", nt=20, nb=4, ne=4, results=str(tmp_path), threads=2)
    folder = store.begin(config, {}).folder
    write, updates = History.write, []

    def failing(self: History, *records: dict[str, Any]) -> None:
        if records[0]["epoch"] == 2:
            raise OSError(28, "No space left on device", str(self.path))
        write(self, *records)

    def learning(*given: Any, **named: Any) -> Any:
        updates.append(1)
        return update(*given, **named)

    monkeypatch.setattr(History, "write", failing)
    monkeypatch.setattr("mmrl.learn.trainer.update", learning)
    told = []

    class Told(NoView):
        def finish(self, summary: Any) -> None:  # type: ignore[override]
            told.append(summary["epochs"])

    assert TrainingProcess(config, {}, folder, Told(), Interruption()).work() == 1
    assert told == [1]  # two were trained
    assert len(updates) == 2 and load(folder)[0] == 1 and read_raw(folder)["state"] == "failed"
    assert "No space left" in read_raw(folder)["error"] and len(read_metrics(folder / "metrics.jsonl")) == 1
