"""What is told of a run in training: a new best, at most now and then, and how it ended."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from textual.widgets._toast import ToastRack

from mmrl.runs.lock import RunLock
from tests.tui.conftest import drive, make_run, press, record


def told(app: Any) -> list[str]:
    return [note.message for note in app._notifications]


def grow(folder: Path, epoch: int, value: float) -> None:
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record(epoch, value_mean=value)) + "\n")


def test_a_new_best_is_told_once_in_a_while(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        while app.screen.subject().name != "live":
            await press(app, pilot, "j")
        await press(app, pilot, "enter")
        await press(app, pilot)
        assert told(app) == []  # what was there before is no news
        grow(folder, 13, 1.0)
        await press(app, pilot)
        assert told(app) == []
        grow(folder, 14, 501.0)
        await press(app, pilot)
        assert told(app) == ["live: new best policy at epoch 14, grade 501"]
        for epoch, value in ((15, 502.0), (16, 503.0), (17, float("nan"))):
            grow(folder, epoch, value)
            await press(app, pilot)
        assert len(told(app)) == 1
        assert app.screen._next_best > time.monotonic() + 10
        app.screen._next_best = 0.0  # as if so long had passed
        await press(app, pilot)
        assert told(app)[1:] == ["live: new best policy at epoch 16, grade 503"]

    with RunLock(folder):
        drive(results, script)


@pytest.mark.parametrize(
    ("state", "severity"), [("finished", "information"), ("diverged", "error"), ("crashed", "error")]
)
def test_ends_are_told(results: Path, state: str, severity: str) -> None:
    folder = make_run(results, "live", epochs=12, state="running")
    lock = RunLock(folder).take()

    async def script(app: Any, pilot: Any) -> None:
        lock.release()
        if state != "crashed":
            status = json.loads((folder / "status.json").read_text())
            (folder / "status.json").write_text(json.dumps({**status, "state": state}))
        for _ in range(5):
            app.poll_runs()
        await pilot.pause()
        assert [(n.message, n.severity) for n in app._notifications] == [(f"live: {state}", severity)]

    drive(results, script)


@pytest.mark.parametrize("opened", ["enter", "question_mark", "R"])
def test_a_message_that_is_over_is_painted_over(results: Path, opened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if something asked for a size between its removal and the next layout, which then finds nothing changed."""
    painted: list[Any] = []

    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, opened)
        app.notify("over soon", timeout=60)
        await press(app, pilot)
        note = app.screen.get_child_by_type(ToastRack).children[-1]
        monkeypatch.setattr(type(app), "_display", lambda app, screen, update: painted.append(update))
        compositor = app.screen._compositor
        compositor._full_map_invalidated = True  # as a widget does that is updated while it is hidden
        await note.remove()
        assert note not in compositor.full_map
        await press(app, pilot)
        assert any(update is not None for update in painted)

    drive(results, script, messages=True)
