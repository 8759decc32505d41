"""Any keys and clicks in any order: no traceback, whatever state the runs are in or get into."""

from __future__ import annotations

import json
import os
import random
import shutil
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from textual.pilot import OutOfBounds

from mmrl.runs.lock import RunLock
from tests.tui.conftest import drive, make_run, record
from tui.screens.help import Keys, owners

KEYS = (
    *"abcdefghijklmnopqrstuvwxyz0123456ORSTYZ",
    *("slash", "question_mark", "less_than_sign", "greater_than_sign", "plus", "minus", "comma", "full_stop"),
    *(
        "left_square_bracket",
        "right_square_bracket",
        "left_curly_bracket",
        "right_curly_bracket",
        "ctrl+r",
        "enter",
        "escape",
        "space",
        "delete",
        "backspace",
    ),
    *("up", "down", "left", "right", "tab", "shift+tab", "home", "end", "pageup", "pagedown"),
    *("ctrl+f", "ctrl+o", "ctrl+s", "ctrl+w", "ctrl+y", "ctrl+p", "f1", "f10", "f12"),
)
SIZES = [(80, 24), (120, 36), (200, 60), (45, 13), (30, 8)]
SEEDS = 100 if os.environ.get("MMRL_FAULTS") == "complete" else 2


async def mouse(pilot: Any, chance: random.Random, size: tuple[int, int]) -> None:
    """A click, a double click, a turn of the wheel or a drag somewhere."""
    from textual import events

    place = chance.randrange(size[0]), chance.randrange(size[1])
    other = chance.randrange(size[0]), chance.randrange(size[1])
    with suppress(OutOfBounds):
        kind = chance.randrange(4)
        if kind < 2:
            await pilot.click(offset=place, times=kind + 1)
        elif kind == 2:
            wheel = chance.choice([events.MouseScrollUp, events.MouseScrollDown])
            await pilot._post_mouse_events([wheel], offset=place, button=0)
        else:
            await pilot.mouse_down(offset=place)
            await pilot.hover(offset=other)
            await pilot.mouse_up(offset=other)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_keys_on_living_and_dying_runs(results: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.processes.start", lambda arguments, root: {"pid": 1})
    monkeypatch.setattr("tui.app.MmrlApp.exit", lambda self: None)  # q and y
    chance = random.Random(seed)
    live = make_run(results, "live", epochs=12, state="running")
    chosen = ("live", "beta", "gamma", "alpha")[seed % 4]  # in training, to be corrupted, to vanish, finished
    size = chance.choice(SIZES[:4])

    async def script(app: Any, pilot: Any) -> None:
        nonlocal size
        app.screen.table.move_cursor(row=app.screen.table.order.index(str(results / chosen)))
        if chance.random() < 0.7:
            await pilot.press("enter", chance.choice("123456"))
        for number in range(40):
            if chance.random() < 0.15:
                await mouse(pilot, chance, size)
            else:
                await pilot.press(chance.choice(KEYS))
            if number % 10 == 3 and live.is_dir():
                with (live / "metrics.jsonl").open("a") as file:
                    file.write(json.dumps(record(13 + number)) + ("\n" if number % 20 == 3 else ""))
            if number == 12:
                size = chance.choice(SIZES)
                await pilot.resize_terminal(*size)
            if number == 15 and (results / "beta").is_dir():
                (results / "beta" / "metrics.jsonl").write_bytes(b"\x00\xff{")
                (results / "beta" / "config.toml").write_bytes(b"[[[")
                for path in (results / "beta" / "episodes").glob("*.npz"):
                    path.write_bytes(path.read_bytes()[:200])
            if number == 20:
                shutil.rmtree(results / "gamma", ignore_errors=True)

    with RunLock(live):
        drive(results, script, size)


def test_every_key_of_every_screen_has_an_action(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        for keys in (("escape",), ("enter",), ("2",), ("3",), ("4",), ("escape",), ("n",)):
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            for node in owners(app.screen):
                if not type(node).__module__.startswith("tui."):
                    continue
                for _, binding in node._bindings:
                    name = binding.action.partition("(")[0]
                    if "." not in name:
                        assert hasattr(node, f"action_{name}") or hasattr(app, f"action_{name}"), (node, binding)

    drive(results, script)


@pytest.mark.parametrize(("width", "columns"), [(30, 1), (61, 1), (62, 2), (113, 2)])
def test_help_fills_its_width_and_loses_no_word(width: int, columns: int) -> None:
    few = ("List", [("\u2191", "Up"), ("home ^home", "First")])
    many = (
        "Runs",
        [("e", "Change learning-rates, entropy, target or plot_after of good-results while it trains"), ("q", "Quit")],
    )
    console = Console(width=width)
    lines = console.render_lines(Keys([few, many]), pad=False)
    texts = ["".join(piece.text for piece in line) for line in lines]
    assert {cell_len(text) for text in texts} <= {width, width - 1}  # odd: a cell is left
    words = " ".join(texts).split()
    assert sorted(words) == sorted(f"List \u2191 Up home ^home First {many[0]} e {many[1][0][1]} q Quit".split())
    assert list(console.render_lines(Keys([few, many]), pad=False)) == lines
    bold = [piece.text for line in lines for piece in line if piece.style and piece.style.bold]
    assert bold.count("List") == bold.count("home ^home") == bold.count("e") == 1
    assert (texts[0].split() == ["List", "Runs"]) is (columns == 2)


@pytest.mark.parametrize("package", ["tui", "mmrl.tui"])
def test_help_shows_the_keys_of_the_view_also_where_the_program_is_installed(tmp_path: Path, package: str) -> None:
    if find_spec("mmrl.tui") is None:
        pytest.skip("mmrl is not installed here")
    make_run(tmp_path / "results", "alpha")
    titles = []

    async def script(app: Any, pilot: Any) -> None:
        await pilot.press("enter")
        await pilot.pause()
        for view in "134":
            await pilot.press(view)
            await pilot.pause(0.2)
            titles.append([title for title, _ in import_module(f"{package}.screens.help").described(app.screen)][:-1])

    drive(tmp_path / "results", script, package=package)
    assert titles == [["Charts", "Run"], ["Book", "Run"], ["Quotes", "Run"]]
