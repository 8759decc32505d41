"""The keys of the view work after anything that takes the focus away, and no key in the bar is dead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tui.conftest import drive, make_run, press, screen_text, select, settled
from tests.tui.test_actions import go
from tui.widgets.chart import Chart
from tui.widgets.keybar import KeyBar


async def smooths(app: Any, pilot: Any) -> None:
    """A key of the charts does what it says."""
    before = app.session.settings.smoothing
    await press(app, pilot, "s")
    assert app.session.settings.smoothing > before, (app.focused, screen_text(app))


def test_the_keys_of_the_charts_survive_resizes_dialogs_tabs_and_maximising(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        select(app, results / "alpha")
        await press(app, pilot, "enter")
        await smooths(app, pilot)
        await pilot.resize_terminal(30, 8)
        await pilot.pause(0.1)
        assert "is too small" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause(0.1)
        await smooths(app, pilot)
        await press(app, pilot, "m", "tab")
        assert isinstance(app.focused, Chart) and app.focused.display
        await smooths(app, pilot)
        await press(app, pilot, "shift+tab", "m", "tab", "tab")
        await smooths(app, pilot)
        await press(app, pilot, "question_mark", "escape", "v", "escape", "6", "tab", "2", "1")
        await smooths(app, pilot)

    drive(results, script, (80, 24))


def observed(app: Any) -> tuple[Any, ...]:
    """All that a key may change."""
    shown = screen_text(app), str(app.focused), [str(screen) for screen in app.screen_stack]
    told = {notification.identity for notification in app._notifications}  # a count would miss one that has gone
    return *shown, told, app.clipboard, vars(app.session.settings).copy()


STATIONS = ("runs",)
SLOW_STATIONS = ("charts", "episode", "book", "quotes", "config", "log", "compare", "new")


@pytest.mark.usefixtures("short_form")
@pytest.mark.parametrize("stations", [STATIONS, pytest.param(SLOW_STATIONS, marks=pytest.mark.nightly)])
def test_every_key_in_the_bar_does_something_or_says_why(
    results: Path, stations: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.processes.start", lambda arguments, root: {"pid": 0})
    make_run(results, "live", state="interrupted")

    async def script(app: Any, pilot: Any) -> None:
        pressed = 0
        for station in stations:
            await go(app, pilot, station)
            await press(app, pilot)
            left, right = app.screen.query_one(KeyBar).hints()
            assert [hint.label for hint in right][-1].startswith("Quit"), station
            for hint in (*left, *right):
                for key, _ in hint.keys.values():
                    if key == "ctrl+q":  # ends the application
                        continue
                    before = observed(app)
                    await press(app, pilot, key)
                    pressed += 1
                    assert observed(app) != before, (station, key, hint.label)
                    if len(app.screen_stack) < len(before[2]) or type(app.focused).__name__ == "Input":
                        await go(app, pilot, station)
                    while len(app.screen_stack) > len(before[2]):
                        app.pop_screen()
        assert pressed > 10

    drive(results, script, (80, 24))


def test_quit_asks_before_the_last_screen(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        select(app, results / "alpha")
        await press(app, pilot, "enter", "q")
        assert type(app.screen).__name__ == "RunsScreen"
        await press(app, pilot, "q")
        assert "Quit mmrl?" in screen_text(app) and app.is_running
        await press(app, pilot, "n", "q")
        await pilot.press("y")
        await pilot.pause()
        assert app._exit

    drive(results, script)


def test_the_bar_cuts_what_does_not_fit_and_a_click_presses_a_key(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        line = screen_text(app).splitlines()[-1]
        assert line.startswith(" ⏎ Open  n New") and " …" in line and line.endswith("? Help  q Quit")
        assert "Resume" not in line and len(line) <= 80
        await pilot.click(offset=(line.index("? Help"), 23))
        await settled(app, pilot)
        assert type(app.screen).__name__ == "Help"

    drive(results, script, (80, 24))
