"""A screenshot has every letter of the screen at its cell, in its colours: by F12, the palette and the docs alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from mmrl.plots.colours import THINGS
from tests.plots.test_svg import places
from tests.tui.conftest import drive, press, screen_text, select

DRAWN = "│─┤├┬┴└┘┌┐┼╰╯╭╮╴╵╶╷┃━┗┛┏┓╸╹╺╻┆┊░▒▓"


def letters(text: str) -> dict[tuple[int, int], str]:
    """What must be found as text, by column and row."""
    found = {}
    for row, line in enumerate(text.splitlines()):
        column = 0
        for letter in line:
            drawn = letter in DRAWN or "\u2800" <= letter <= "\u28ff" or "\u2580" <= letter <= "\u259f"
            if not letter.isspace() and not drawn:
                found[column, row] = letter
            column += cell_len(letter)
    return found


@pytest.mark.parametrize("theme", ["mmrl-dark", "mmrl-light"])
def test_every_letter_of_the_screen_is_at_its_cell(results: Path, theme: str) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.theme = theme
        select(app, results / "alpha")
        await press(app, pilot, "enter")
        for key in ("question_mark", "escape", "3") if theme == "mmrl-dark" else ("2",):
            await press(app, pilot, key)
            svg = app.export_screenshot()
            assert places(svg) == letters(screen_text(app)), key
        ask = THINGS["ask"]
        assert (ask.dark if theme == "mmrl-dark" else ask.light).lower() in svg and "cdnjs" not in svg

    drive(results, script)


def test_f12_writes_it(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "f12")
        [path] = Path.cwd().glob("*.svg")
        assert path.read_text() == app.export_screenshot() and "<title>mmrl</title>" in path.read_text()

    drive(results, script)
