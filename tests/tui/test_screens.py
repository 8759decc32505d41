"""The screens on runs at rest and in training: what they show, what their keys do, what may go wrong meanwhile."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from mmrl.runs.control import read_control
from mmrl.runs.lock import RunLock
from mmrl.settings.fields import fields
from tests.tui.conftest import drive, make_run, press, record, screen_text, settled
from tui.widgets.book import BookView

HOSTILE = "[/x] [bold red]no[/] \x1b[31mred\x1b[0m \x1b]0;title\x07 ]]"


def test_no_runs_and_a_tiny_terminal(tmp_path: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        assert "No runs yet" in screen_text(app)
        await pilot.resize_terminal(30, 8)
        await pilot.pause(0.1)
        assert "30x8 is too small" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause(0.1)
        assert "No runs yet" in screen_text(app)

    drive(tmp_path / "results", script, (80, 24))


def test_filter_sort_mark_and_compare(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        screen = app.screen
        await press(app, pilot, "slash", "b", "t", "a", "enter")
        assert [Path(key).name for key in screen.table.order] == ["beta"]
        await press(app, pilot, "slash", "x", "x")
        assert screen.table.order == [] and "No run matches" in screen_text(app)
        await press(app, pilot, "escape")
        assert len(screen.table.order) == 3
        app.session.settings.change(sort="name", reverse=False)
        screen.runs_changed(set(), set())
        assert [Path(key).name for key in screen.table.order] == ["alpha", "beta", "gamma"]
        await press(app, pilot, "O")
        assert [Path(key).name for key in screen.table.order] == ["gamma", "beta", "alpha"]
        screen.table.move_cursor(row=1)
        await press(app, pilot, "space", "j", "space", "c")
        assert type(app.screen).__name__ == "Compare"
        text = screen_text(app)
        assert "● beta" in text and "▲ alpha" in text
        for key in ("a", "a", "a", "s", "S", "y", "0", "plus", "left", "right", "minus"):
            await press(app, pilot, key)
        await press(app, pilot, "2")
        assert "training.lr" in screen_text(app) and "0.01" in screen_text(app)
        await press(app, pilot, "3")
        assert "VALUE" in screen_text(app)
        await press(app, pilot, "escape")

    drive(results, script)


def test_steering_a_run_in_training(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(folder)))
        await press(app, pilot, "enter")
        assert "▶ training 12/40" in screen_text(app)
        await press(app, pilot, "p")
        assert read_control(folder)["want"] == "pause"
        await press(app, pilot, "e")
        app.screen.query_one("#ask-lr", Input).value = "7"
        await press(app, pilot, "enter")
        assert "a number > 0, <= 1" in screen_text(app)
        app.screen.query_one("#ask-lr", Input).value = "0.25"
        await press(app, pilot, "enter")
        assert read_control(folder) == {"want": "pause", "set": {"lr": 0.25}}
        status = json.loads((folder / "status.json").read_text())
        (folder / "status.json").write_text(json.dumps({**status, "state": "paused"}))
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record(13, event={"lr": 0.25})) + "\n")
        app.poll_runs()
        await press(app, pilot)
        assert "‖ paused 13/40" in screen_text(app) and "learning rate 0.25" in screen_text(app)
        await press(app, pilot, "r")
        assert read_control(folder)["want"] == "run"
        await press(app, pilot, "t", "n")
        assert read_control(folder)["want"] == "run"
        await press(app, pilot, "t", "y")
        assert read_control(folder)["want"] == "stop"

    with RunLock(folder):
        drive(results, script)


def test_a_run_whose_process_died_is_crashed_at_once(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(folder)))
        await press(app, pilot, "enter")
        assert "! crashed" in screen_text(app) and "its process was killed" in screen_text(app)

    drive(results, script)


def test_rename_promote_trash_and_take_back(results: Path, tmp_path: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        screen = app.screen
        screen.table.move_cursor(row=screen.table.order.index(str(results / "alpha")))
        await press(app, pilot, "R")
        app.screen.query_one("#ask-name", Input).value = "../evil"
        await press(app, pilot, "enter")
        assert "letters, digits" in screen_text(app)
        app.screen.query_one("#ask-name", Input).value = "omega"
        await press(app, pilot, "enter")
        assert (results / "omega" / "config.toml").is_file()
        await settled(app, pilot)
        screen.table.move_cursor(row=screen.table.order.index(str(results / "omega")))
        await press(app, pilot, "delete", "escape")
        assert (results / "omega").is_dir()
        await press(app, pilot, "delete", "y")
        assert not (results / "omega").exists()
        await press(app, pilot, "u")
        assert (results / "omega" / "config.toml").is_file()

    drive(results, script)


def test_a_folder_that_vanishes_or_is_renamed_while_it_is_shown(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(results / "alpha")))
        await press(app, pilot, "enter")
        (results / "alpha").rename(results / "moved")
        for _ in range(5):  # runs at rest are looked at every fourth time
            app.poll_runs()
        await pilot.pause(0.2)
        assert "moved" in screen_text(app).splitlines()[0]
        for key in ("2", "3"):
            await press(app, pilot, key)
        shutil.rmtree(results / "moved")
        for _ in range(5):
            app.poll_runs()
        for key in ("4", "5", "6", "1", "2", "3"):
            await press(app, pilot, key)
        assert "vanished" in screen_text(app)
        await press(app, pilot, "escape")
        assert "moved" not in screen_text(app)

    drive(results, script)


def test_a_run_that_is_renamed_is_told_from_its_copies(results: Path) -> None:
    for copy in (results.parent / "good-results" / "alpha", results / "aaa", results / "zzz"):
        shutil.copytree(results / "alpha", copy)

    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(results / "alpha")))
        await press(app, pilot, "enter")
        (results / "alpha").rename(results / "moved")
        for _ in range(5):
            app.poll_runs()
        await pilot.pause(0.2)
        assert "moved" in screen_text(app).splitlines()[0]
        shutil.rmtree(results / "moved")
        for _ in range(5):
            app.poll_runs()
        await pilot.pause(0.2)
        assert "vanished" in screen_text(app).splitlines()[0]

    drive(results, script)


def test_hostile_text_is_shown_as_it_stands(results: Path) -> None:
    folder = make_run(results, "hostile", state="failed", origins={"training.lr": HOSTILE})
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps({**status, "error": HOSTILE}))
    (folder / "log.txt").write_text(f"{HOSTILE}\n[link=file:///etc]x[/link]\n")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record(41, event={HOSTILE: HOSTILE})) + "\n")
    (results / "[red]bad name").mkdir()
    (results / "[red]bad name" / "config.toml").write_text("")

    async def script(app: Any, pilot: Any) -> None:
        assert "bad name" not in screen_text(app)
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(folder)))
        await press(app, pilot, "l")
        text = screen_text(app)
        assert "[/x] [bold red]no[/]" in text and "[link=file:///etc]x[/link]" in text and "\x1b" not in text
        for key in ("1", "5", "2", "question_mark"):
            await press(app, pilot, key)
            assert "\x1b" not in screen_text(app)

    drive(results, script, (200, 60))


def test_broken_files_are_no_reason_to_end(results: Path) -> None:
    broken = results / "broken"
    broken.mkdir()
    (broken / "config.toml").write_bytes(b"\xff\xfe not toml")
    (broken / "status.json").write_text("[" * 50_000)
    (broken / "metrics.jsonl").write_text('{"epoch": "many"}\n{"epoch": 1, "value_mean": "x"}\n{"epo')
    (broken / "episodes").mkdir()
    (broken / "episodes" / "000001.npz").write_bytes(b"PK nothing")
    (broken / "log.txt").mkdir()

    async def script(app: Any, pilot: Any) -> None:
        assert "? broken" in screen_text(app)
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(broken)))
        await press(app, pilot, "enter")
        for key in ("2", "3", "space", "right", "4", "5", "6", "1", "v", "escape", "d"):
            await press(app, pilot, key)

    drive(results, script)


def test_a_new_run_from_the_form(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def start(arguments: list[str], root: Path) -> dict[str, Any]:
        started.append(list(arguments))
        return {"pid": 1}

    monkeypatch.setattr("tui.processes.start", start)

    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "n")
        await press(app, pilot, "ctrl+f", *"entropy", "enter")
        app.screen.query("FieldRow Input").first(Input).value = "11"
        await pilot.pause(0.1)
        assert "training.entropy: it must be a number >= 0, <= 10" in screen_text(app)
        await press(app, pilot, "ctrl+s")
        assert not started
        app.screen.query("FieldRow Input").first(Input).value = "0.5"
        await pilot.pause(0.1)
        assert "$ mmrl train --preset quickstart --entropy 0.5" in screen_text(app)
        await press(app, pilot, "ctrl+s")
        await app.workers.wait_for_complete()
        assert started == [["--preset", "quickstart", "--entropy", "0.5"]]

    drive(results, script)


def test_episodes_are_scrubbed_and_the_book_is_played(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(results / "alpha")))
        await press(app, pilot, "enter", "2")
        assert "epoch 40" in screen_text(app)
        await press(app, pilot, "left")
        assert "epoch 20" in screen_text(app)
        await press(app, pilot, "3", "right", "right")
        assert "step 3/50" in screen_text(app)
        await press(app, pilot, "space")
        await pilot.pause(0.4)
        assert "▶ playing" in screen_text(app) and "step 3/50" not in screen_text(app)
        await press(app, pilot, "space", "greater_than_sign")
        text = screen_text(app)
        assert "‖ paused" in text and "near 53" in text, text

    drive(results, script)


def test_the_table_follows_what_happens_in_the_folder(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=1)
        chosen = app.screen.table.current
        make_run(results, "newer", age=1)
        await settled(app, pilot)
        assert Path(app.screen.table.order[0]).name == "newer" and app.screen.table.current == chosen
        with (results / "newer" / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record(41, value_mean=777.0)) + "\n")
        for _ in range(5):
            app.poll_runs()
        await pilot.pause()
        assert "777 ± 2" in screen_text(app)

    drive(results, script)


def test_without_colour_every_curve_has_its_mark(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(results / "alpha")))
        await press(app, pilot, "enter")
        text = screen_text(app)
        assert all(mark in text for mark in "●▲■◆")
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                    assert colour is None or colour.is_default or len(set(colour.get_truecolor())) == 1
        await press(app, pilot, "f10", "f10")  # the other themes draw as well
        assert "●" in screen_text(app)

    drive(results, script)


def test_what_comes_after_a_screen_is_left_changes_nothing(results: Path) -> None:
    """What waits for the next frame may come when the widgets are gone already."""

    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "enter", "4")
        run, book = app.screen, app.screen.query_one(BookView)
        await press(app, pilot, "escape", "n")
        form = app.screen
        waiting = form._below
        await press(app, pilot, "escape", "escape")
        assert not (run.query("*") or book.query("*") or form.query("*"))
        run._offer_tabs()
        book._fit_step()
        form._below = waiting or [fields()[0]]
        await form._show_more(form._below)

    drive(results, script)
