"""Keys typed fast do what they do when they are typed slowly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.keys import key_to_character

from tests.tui.conftest import make_run, settled
from tui.app import MmrlApp

FORM = ("n", "ctrl+f", *"lr", "enter", "9")
CHOICES = (
    *("ctrl+f", "enter", "tab", "shift+tab", "down", "up", "escape", "end", "ctrl+u", "ctrl+r", "backspace"),
    *"lrneseed0195",
)
STARTS = (FORM, ("n", "tab", "5"), ("enter", "v"), ("R", "x"), ("slash", *"bet", "enter", "space"))


def pressed(key: str) -> events.Key:
    """A key as the terminal reports it."""
    return events.Key(key, key if len(key) == 1 else key_to_character(key))


async def typed(keys: Sequence[str], gaps: Sequence[float] | None) -> dict[str, Any]:
    """What is there after some keys: `gaps` seconds lie between them, or as long as the application needs."""
    app = MmrlApp("results")
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(app, pilot)
        for number, key in enumerate(keys):
            app.post_message(pressed(key))
            if gaps is None:
                await pilot.pause(0.001)
                while app.typing:
                    await pilot.pause(0.001)
                await pilot.pause(0.1 if key in ("enter", "tab") or key.isalnum() else 0)
            else:
                await asyncio.sleep(gaps[number])
        while app.typing:
            await pilot.pause(0.001)
        await pilot.pause(0.12)  # the search
        await pilot.pause(0)  # and what it shows
        return facts(app)


def facts(app: Any) -> dict[str, Any]:
    """Screen, focus, and all that keys may have changed."""
    screen, focused = app.screen, app.focused
    found = {"screens": [type(each).__name__ for each in app.screen_stack], "focus": str(focused)}
    found["value"] = getattr(focused, "value", "")
    found["cursor"] = app.screen_stack[1].table.current
    found["marked"] = list(app.screen_stack[1].marked)
    if hasattr(screen, "draft"):
        found["draft"] = screen.draft.changed()
        found["search"] = screen.query_one("#search").value
    return found


@pytest.fixture
def two(tmp_path: Path) -> None:
    make_run(Path("results"), "alpha", episodes=())
    make_run(Path("results"), "beta", epochs=3, state="interrupted", age=7_200, episodes=())


@pytest.mark.usefixtures("two", "short_form")
@pytest.mark.parametrize(
    "gap", [0.0, pytest.param(0.07, marks=pytest.mark.slow), pytest.param(0.15, marks=pytest.mark.slow)]
)
def test_a_search_its_first_field_and_a_value(gap: float) -> None:
    seed = ("ctrl+f", *"seed", "enter", "ctrl+u", "3")
    found = asyncio.run(typed((*FORM, *seed), [gap] * 20))
    assert found["search"] == "seed" and found["draft"] == {"training.lr": 9.0, "run.seed": 3}


@pytest.mark.usefixtures("two", "short_form")
@pytest.mark.parametrize("seed", [2, 3, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(4, 15))])
def test_any_keys_at_any_speed(seed: int) -> None:
    chance = random.Random(seed)
    keys = [*STARTS[seed % len(STARTS)], *(chance.choice(CHOICES) for _ in range(8))]
    gaps = [chance.choice((0, 0, 0.02, 0.2 * chance.random())) for _ in keys]
    assert asyncio.run(typed(keys, gaps)) == asyncio.run(typed(keys, None)), (keys, gaps)
