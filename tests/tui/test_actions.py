"""Every key on every screen, the palette, and what actions do where they are not allowed to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from mmrl.runs.control import read_control
from mmrl.runs.lock import RunLock
from tests.tui.conftest import drive, make_run, press, screen_text, select, settled
from tui.screens.help import described, meaning, owners

COMPLETE = os.environ.get("MMRL_FAULTS") == "complete"
SIZES = [(80, 24), (120, 36), (200, 60)] if COMPLETE else [(120, 36)]
STATIONS = ("runs", "charts", "episode", "book", "quotes", "config", "log", "compare", "new")


async def go(app: Any, pilot: Any, station: str) -> None:
    """From wherever one is to a screen."""
    while len(app.screen_stack) > 2:
        app.pop_screen()
        await pilot.pause()
    app.screen.action_clear()
    await pilot.pause()
    if station == "compare":
        app.screen.marked = app.screen.table.order[-2:]
        await press(app, pilot, "c")
    elif station == "new":
        await press(app, pilot, "n")
    elif station != "runs":
        select(app, Path("results/live"))
        app.screen.action_open(station)
        await pilot.pause()
        await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_key_of_every_screen_reaches_its_action(
    results: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And stands in the help and in the palette; MMRL_FAULTS=complete runs the actions as well, at all sizes."""
    monkeypatch.setattr("tui.processes.start", lambda arguments, root: {"pid": 0})
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        ran: list[str] = []
        pressed = 0
        for station in STATIONS:
            await go(app, pilot, station)
            assert (
                type(app.screen)
                .__name__.lower()
                .startswith({"runs": "runs", "compare": "compare", "new": "newrun"}.get(station, "runscreen"))
            )
            groups = {text for _, rows in described(app.screen) for _, text in rows}
            palette = {command.title for command in app.get_system_commands(app.screen)}
            plan = [
                (number, key, binding)
                for number, node in enumerate(owners(app.screen))
                for key, binding in node._bindings
                if not (binding.system or binding.action.startswith(("app.", "screen.", "quit", "command_palette")))
            ]
            for number, key, binding in plan:
                name = binding.action.partition("(")[0]
                label = binding.tooltip or binding.description
                assert meaning(binding) in groups and label in palette, (station, key)
                node = owners(app.screen)[number]
                if node.check_action(name, ()) is not True:
                    continue
                owner = node if hasattr(node, f"action_{name}") else app
                original = getattr(owner, f"action_{name}")

                def spy(*arguments: Any, original: Any = original, name: str = name) -> Any:
                    ran.append(name)
                    return original(*arguments) if COMPLETE else None

                owner.__dict__[f"action_{name}"] = spy
                focused, depth = app.focused, len(app.screen_stack)
                ran.clear()
                await pilot.press(key)
                del owner.__dict__[f"action_{name}"]
                pressed += 1
                typed = isinstance(focused, Input) and not binding.priority and len(key) == 1
                assert typed or ran == [name], (station, key, name, ran)
                if len(app.screen_stack) != depth or app.focused is not focused:
                    await go(app, pilot, station)
        assert pressed > 150

    with RunLock(folder):
        drive(results, script, size)


def test_the_palette_runs_what_it_names(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        select(app, results / "alpha")
        await press(app, pilot, "ctrl+p")
        await pilot.press(*"promote")
        for _ in range(100):
            await pilot.pause(0.05)
            if "copy to good-results" in screen_text(app):
                break
        assert "Promote: copy to good-results" in screen_text(app)
        await pilot.press("down", "enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if "Copy alpha to good-results?" in screen_text(app):
                break
        assert not Path("good-results").exists()
        await pilot.press("y")
        for _ in range(100):
            await pilot.pause(0.05)
            if Path("good-results/alpha/config.toml").is_file():
                break
        assert Path("good-results/alpha/config.toml").is_file()
        app.pop_screen() if len(app.screen_stack) > 2 else None
        await settled(app, pilot)
        text = screen_text(app)
        assert "good-results/ 1" in text and "★ alpha" in text
        await press(app, pilot, "Y")
        assert app.clipboard == str((results / "alpha").resolve())

    drive(results, script)


def test_what_cannot_be_written_is_told(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    def refused(*arguments: Any, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(folder / "control.json"))

    told: list[tuple[str, str]] = []

    async def script(app: Any, pilot: Any) -> None:
        monkeypatch.setattr("mmrl.runs.control.durable_write", refused)  # as in a folder that is read-only
        monkeypatch.setattr("mmrl.runs.store.RunLock.take", refused)
        notify = app.notify
        app.notify = lambda text, **more: (told.append((text, more["severity"])), notify(text, **more))
        select(app, folder)
        await press(app, pilot, "p")
        assert "Permission denied" in told[-1][0] and told[-1][1] == "error"
        assert read_control(folder)["want"] == "run"
        select(app, results / "alpha")
        for keys in (("delete", "y"), ("R", "x", "enter"), ("P", "y")):
            before = len(told)
            await press(app, pilot, *keys)
            assert "Permission denied" in told[before][0] and told[before][1] == "error", keys
        assert (results / "alpha" / "config.toml").is_file() and not Path("good-results").exists()

    with RunLock(folder):
        drive(results, script)


def test_two_uis_on_one_run_agree(results: Path) -> None:
    from tui.app import MmrlApp

    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        other = MmrlApp(results)
        select(app, folder)
        await press(app, pilot, "p")
        assert read_control(folder)["want"] == "pause"
        async with other.run_test(size=(80, 24)) as second:
            await settled(other, second)
            select(other, folder)
            await press(other, second, "enter", "r")
            assert read_control(folder)["want"] == "pause"  # it has not paused yet: nothing to resume
            text = (folder / "status.json").read_text()
            (folder / "status.json").write_text(text.replace('"running"', '"paused"'))
            other.poll_runs()
            await press(other, second, "r")
            assert read_control(folder)["want"] == "run"
            assert "‖ paused" in screen_text(other)
        app.poll_runs()
        await pilot.pause()
        assert "‖ paused" in screen_text(app)

    with RunLock(folder):
        drive(results, script)
