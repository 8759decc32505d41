"""Ways to a run and around it: its neighbours, the palette, the command line, first and last, columns, the preview."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs.find import anywhere
from mmrl.runs.listing import RunNotFound
from mmrl.settings.sources import read_preset
from tests.tui.conftest import drive, make_run, press, record, screen_text, select
from tui.app import MmrlApp
from tui.widgets.preview import differences


def test_neighbours_first_and_last(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.session.settings.change(sort="name")
        app.screen.runs_changed(set(), set())
        await press(app, pilot, "G")
        assert app.screen.subject().name == "gamma"
        await press(app, pilot, "g", "g")
        assert app.screen.subject().name == "alpha" and not Path("good-results").exists()
        await press(app, pilot, "enter", "5", "right_square_bracket")
        assert app.screen.folder.name == "beta" and app.screen.query_one("#tabs").active == "config"
        assert app.focused.id == "config-table"
        await press(app, pilot, "right_square_bracket", "right_square_bracket")
        assert app.screen.folder.name == "gamma"
        assert [note.message for note in app._notifications] == ["this is the last run of the list"]
        await press(app, pilot, "G")
        assert app.focused.cursor_row == app.focused.row_count - 1
        await press(app, pilot, "q")
        assert app.screen.subject().name == "gamma"  # the cursor went along

    drive(results, script)


def test_the_palette_finds_runs_and_ctrl_z_suspends(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suspended: list[bool] = []
    monkeypatch.setattr(MmrlApp, "action_suspend_process", lambda self: suspended.append(True))

    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "ctrl+z", "ctrl+p")
        assert suspended == [True]
        await pilot.press(*"beta")
        for _ in range(100):
            await pilot.pause(0.05)
            if "run, stopped" in screen_text(app):
                break
        await pilot.press("down", "enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if type(app.screen).__name__ == "RunScreen":
                break
        assert app.screen.folder.name == "beta"

    drive(results, script)


def test_a_run_is_opened_by_the_beginning_of_its_name(results: Path) -> None:
    make_run(results, "alps", episodes=())
    make_run(Path("good-results"), "shipped", episodes=())
    assert anywhere("alph", results).name == "alpha" and anywhere("b", results).name == "beta"
    assert anywhere("ship", results).folder == str(Path("good-results").resolve() / "shipped")
    make_run(results, "bet", episodes=())
    assert anywhere("bet", results).name == "bet"  # a whole name is no beginning of another
    with pytest.raises(RunNotFound, match=r"2 runs in results begin with al: alpha, alps"):
        anywhere("al", results)
    with pytest.raises(RunNotFound, match="no run nothing"):
        anywhere("nothing", results)


def test_the_columns_are_chosen_and_sorted_by(results: Path) -> None:
    make_run(results, "a-very-long-name-of-a-run-that-ends-with-its-seed-7", settings={"run.seed": 7}, age=10)

    async def script(app: Any, pilot: Any) -> None:
        first = screen_text(app).splitlines()
        assert "LR    SEED" in first[1] and first[2].split()[2].startswith("a-very") and "…" in first[2]
        assert first[2].split()[2].endswith("seed-7")
        app.session.settings.change(columns="run.seed training.nb", sort="run.seed", reverse=True)
        app.screen._lay_out()
        app.screen.runs_changed(set(), set())
        await pilot.pause()
        lines = screen_text(app).splitlines()
        assert lines[1].split() == ["STATE", "NAME", "SEED", "NB"] and lines[2].split()[-2:] == ["7", "100"]
        await press(app, pilot, "C", "space", "enter")
        assert app.session.settings.columns == "epoch run.seed training.nb"
        await press(app, pilot, "C", "backspace")
        assert app.session.settings.columns == ""

    drive(results, script)


def test_the_preview_shows_the_run_under_the_cursor(results: Path) -> None:
    quickstart = read_preset("quickstart")
    folder = make_run(
        results,
        "tuned",
        settings={**quickstart, "training.lr": 0.25, "training.ne": 40},
        origins={**dict.fromkeys(quickstart, "preset quickstart"), "training.lr": "flag", "training.ne": "flag"},
    )
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record(41, value_mean=345.0)) + "\n" + json.dumps(record(42, value_mean=1.0)) + "\n")
    epochs, lr = quickstart["training.ne"], quickstart.get("training.lr", 0.003)
    assert differences(folder) == ["preset quickstart", f"ne 40, not {epochs}", f"lr 0.25, not {lr}"]

    async def script(app: Any, pilot: Any) -> None:
        select(app, folder)
        await press(app, pilot)
        text = screen_text(app)
        assert "best  345 at epoch 41" in text and "final 1 ± 2" in text and "lr 0.25, not " in text
        select(app, results / "beta")
        await press(app, pilot)
        assert "lr 0.25" not in screen_text(app) and "■ stopped 17/40 · seed 0" in screen_text(app)
        await press(app, pilot, "v")
        assert "reward (currency)" not in screen_text(app)
        await press(app, pilot, "v")
        await pilot.resize_terminal(80, 18)
        await pilot.pause(0.1)
        assert "reward (currency)" not in screen_text(app)

    drive(results, script, (80, 24))


def test_a_metric_that_a_run_has_not_is_named(results: Path) -> None:
    make_run(results, "empty", epochs=0, state="failed")

    async def script(app: Any, pilot: Any) -> None:
        app.session.settings.change(metric="optimality")
        select(app, results / "alpha")
        await press(app, pilot, "enter")
        text = screen_text(app)
        assert "this run has no optimality: v chooses another" in text and "waiting" not in text
        await press(app, pilot, "q")
        select(app, results / "empty")
        await press(app, pilot, "enter")
        assert screen_text(app).count("it ended before its first epoch") == 4

    drive(results, script)
