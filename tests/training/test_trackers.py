"""Trackers get every number of every epoch, and whatever happens to one the training goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mmrl.display.base import BaseView
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.training import trackers
from mmrl.training.trackers import Tracked, check_installed, numbers_of

RECORD = {
    "epoch": 3,
    "value_mean": 2.5,
    "optimality": None,
    "steps": 40,
    "event": {"lr": 1},
    "x": float("nan"),
    "b": True,
}


class Quiet(BaseView):
    """A view that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[int] = []
        self.notes: list[str] = []

    def epoch(self, record: Mapping[str, Any]) -> None:
        self.epochs.append(record["epoch"])

    def note(self, text: str, lasting: bool = False) -> None:
        self.notes.append(text)

    def finish(self, summary: Mapping[str, Any]) -> None:
        pass


class Tracker:
    """Remembers what it is told, or fails where it is asked to."""

    def __init__(self, name: str, config: Config, folder: Path, first: int) -> None:
        self.name, self.first = name, first
        self.told: list[tuple[int, dict[str, float]]] = []
        self.closed = False
        opened.append(self)
        self._fail("open")

    def log(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self._fail("log")
        self.told.append((epoch, dict(numbers)))

    def close(self) -> None:
        self._fail("close")
        self.closed = True

    def _fail(self, where: str) -> None:
        if self.name.startswith(where):
            raise {"disk": OSError(28, "No space left"), "exit": SystemExit(3)}.get(
                self.name.partition(" ")[2], RuntimeError("no network")
            )
        if self.name == f"hang {where}":
            hanging.wait(20)


opened: list[Tracker] = []
hanging = threading.Event()


def train(*names: str, epochs: int = 5) -> Quiet:
    opened.clear()
    hanging.clear()
    quiet = Quiet()
    view = Tracked(quiet, list(names), Tracker)
    with view:
        view.start(Config(), Path("run"), epochs)
        for epoch in range(3, 3 + epochs):
            view.epoch({**RECORD, "epoch": epoch})
        view.finish({})
    return quiet


def test_numbers_are_the_finite_ones() -> None:
    assert numbers_of(RECORD) == {"value_mean": 2.5, "steps": 40.0}


def test_every_epoch_is_told_to_every_tracker() -> None:
    quiet = train("a", "b")
    for tracker in opened:
        assert tracker.first == 3 and tracker.closed
        assert tracker.told == [(epoch, {"value_mean": 2.5, "steps": 40.0}) for epoch in range(3, 8)]
    assert len(opened) == 2 and quiet.notes == []


@pytest.mark.parametrize("name", ["open", "log", "close", "log disk", "open exit"])
def test_a_tracker_that_fails_stops_nothing(name: str) -> None:
    quiet = train(name, "fine")
    assert quiet.epochs == [3, 4, 5, 6, 7]
    assert len(quiet.notes) == 1 and quiet.notes[0].startswith(f"{name} failed (")
    assert quiet.notes[0].endswith("): the training goes on without it")
    assert [len(tracker.told) for tracker in opened if tracker.name == "fine"] == [5]


@pytest.mark.parametrize("name", ["hang open", "hang log", "hang close"])
def test_a_tracker_that_hangs_holds_up_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "PATIENCE", 0.2)
    monkeypatch.setattr(trackers, "WAITING", 50)
    began = time.monotonic()
    quiet = train(name, epochs=40 if name == "hang close" else 90)
    hanging.set()
    assert len(quiet.epochs) in (40, 90) and time.monotonic() - began < 5
    assert len(quiet.notes) == 1 and ("did not end within" in quiet.notes[0] or "50 epochs behind" in quiet.notes[0])


def test_a_tracker_that_nobody_knows_or_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="--log-to tensorbord: there are tensorboard, wandb, mlflow: did you mean"):
        check_installed("tensorbord")
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"--log-to wandb needs the package wandb: pip install .*\[wandb\]"):
        check_installed("wandb")
