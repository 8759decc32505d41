"""Four settings changed from the screen of a run: checked while one types, asked for, confirmed, marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from textual.widgets import Input, Label

from mmrl.runs.control import read_control, read_request
from mmrl.runs.lock import RunLock
from mmrl.runs.status import ACKNOWLEDGED
from tests.tui.conftest import drive, make_run, press, record, screen_text


def told(app: Any) -> str:
    return "\n".join(note.message for note in app._notifications)


def test_all_four_are_edited_and_confirmed(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        while app.screen.subject().name != "live":
            await press(app, pilot, "j")
        await press(app, pilot, "enter", "e")
        blanks = {name: app.screen.query_one(f"#ask-{name}", Input) for name in ("lr", "entropy", "ne", "plot_after")}
        assert {name: blank.value for name, blank in blanks.items()} == {
            "lr": "0.003",
            "entropy": "0.0",
            "ne": "40",
            "plot_after": "20",
        }
        faults = {
            "lr": ("0", "a number > 0, <= 1"),
            "entropy": ("eleven", "a number >= 0, <= 10"),
            "ne": ("12", "epoch 12 is already reached"),
            "plot_after": ("1.5", "a whole number >= 0"),
        }
        for name, (text, fault) in faults.items():
            blanks[name].value = text
            await pilot.pause()
            assert fault in str(app.screen.query_one(f"#error-{name}", Label).render())
        await press(app, pilot, "enter")
        assert type(app.screen).__name__ == "Ask" and not (folder / "control.json").exists()
        for name, text in {"lr": "0.003", "entropy": "0.0", "ne": "90", "plot_after": "5"}.items():
            blanks[name].value = text
        await press(app, pilot, "enter")
        assert read_control(folder) == {"want": "run", "set": {"ne": 90, "plot_after": 5}}
        app.poll_runs()
        await press(app, pilot)
        assert "change requested" in screen_text(app)
        status = json.loads((folder / "status.json").read_text())
        status |= {"target": 90, ACKNOWLEDGED: read_request(folder)[1]}
        (folder / "status.json").write_text(json.dumps(status))
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record(13, event={"ne": 90, "plot_after": 5})) + "\n")
        app.poll_runs()
        await press(app, pilot)
        text = screen_text(app)
        assert "change requested" not in text and "13/90" in text
        assert "target 90, plot after 5" in text  # beside its mark in the charts
        assert "live: target 90, plot after 5 since epoch 13" in told(app)

    with RunLock(folder):
        drive(results, script)


def test_the_dialog_fits_a_small_terminal(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        while app.screen.subject().name != "live":
            await press(app, pilot, "j")
        await press(app, pilot, "e")
        text = screen_text(app)
        for part in ("Learning rate", "entropy bonus", "Target", "episodes", "Enter: apply"):
            assert part in text, text

    with RunLock(folder):
        drive(results, script, (80, 24))
