"""Runs grouped by folder under a title that the cursor passes over; a filter by state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tui.conftest import drive, make_run, press, screen_text
from tui.run_order import HEADER


def names(app: Any) -> list[str]:
    return [key if key.startswith(HEADER) else Path(key).name for key in app.screen.table.order]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=str)
def test_folders_have_titles_that_the_cursor_passes_over(results: Path, size: tuple[int, int]) -> None:
    make_run(Path("good-results"), "kept", age=10)

    async def script(app: Any, pilot: Any) -> None:
        assert names(app) == [f"{HEADER}results/ 3", "alpha", "beta", "gamma", f"{HEADER}good-results/ 1", "kept"]
        text = screen_text(app)
        assert "── results/ 3 ──" in text and "── good-results/ 1 ──" in text
        assert app.screen.subject().name == "alpha"
        seen = []
        for _ in range(4):
            seen.append(app.screen.subject().name)
            await press(app, pilot, "down")
        assert seen == ["alpha", "beta", "gamma", "kept"] and app.screen.subject().name == "kept"
        await press(app, pilot, "home")
        assert app.screen.subject().name == "alpha"
        await press(app, pilot, "up", "k")
        assert app.screen.subject().name == "alpha"
        await pilot.click("#table", offset=(5, 5))  # the title of the second folder
        assert app.screen.subject().name == "alpha"
        await press(app, pilot, "end", "f")
        assert names(app) == ["kept", "alpha", "beta", "gamma"] and "results/ 3 ─" not in screen_text(app)
        assert app.screen.subject().name == "kept" and app.session.settings.grouped is False
        await press(app, pilot, "f", "slash", *"alpha", "enter")
        assert names(app) == ["alpha"]  # a single folder needs no title

    drive(results, script, size)


def test_only_some_states_are_shown(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "w")
        for _ in range(3):
            await press(app, pilot, "down")
        await press(app, pilot, "enter")
        assert names(app) == ["beta"] and "state: stopped" in screen_text(app)
        await press(app, pilot, "escape")
        assert len(names(app)) == 3

    for size in ((80, 24), (120, 36)):
        drive(results, script, size)
