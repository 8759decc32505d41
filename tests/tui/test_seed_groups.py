"""Runs of a group in one row, which unfolds; marks and previews of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs import listing
from tests.tui.conftest import drive, make_run, press, screen_text
from tui.groups import GROUP
from tui.summary import quick_summary


def grouped(root: Path, name: str, group: str, seed: int, **more: Any) -> Path:
    settings = {"run.seed": seed, **more.pop("settings", {})}
    folder = make_run(root, name, settings=settings, episodes=(), **more)
    config = folder / "config.toml"
    config.write_text(config.read_text() + f'"group" = "{group}"\n')
    return folder


def names(app: Any) -> list[str]:
    return [f"<{Path(k[1:]).name}>" if k.startswith(GROUP) else Path(k).name for k in app.screen.table.order]


@pytest.fixture
def five(results: Path) -> Path:
    """Beside the usual runs three of a group, one of them not done."""
    grouped(results, "five-seed0", "five", 0, age=10)
    grouped(results, "five-seed1", "five", 1, age=20, epochs=30, state="interrupted")
    grouped(results, "five-seed2", "five", 2, age=5_000)
    return results


def test_a_quick_summary_knows_the_group(five: Path) -> None:
    found = quick_summary(five / "five-seed1")
    assert found is not None and found.group == "five"
    assert replace(found, id="id-five-seed1") == listing.describe(five / "five-seed1")


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
def test_a_group_is_one_row_that_unfolds(five: Path, size: tuple[int, int]) -> None:
    async def script(app: Any, pilot: Any) -> None:
        assert names(app) == ["<five>", "alpha", "beta", "gamma"]
        text = screen_text(app)
        assert ("+ five (3)" in text and "2/3" in text and "30-40/40" in text and "6 shown" in text) or size[0] < 100
        await press(app, pilot, "home")
        assert app.screen.subject() is None and app.screen.refusal("trash") == "this is a group: z shows its runs"
        await press(app, pilot, "z")
        assert names(app) == ["<five>", "five-seed0", "five-seed1", "five-seed2", "alpha", "beta", "gamma"]
        assert "- five (3)" in screen_text(app)
        await press(app, pilot, "down", "down")
        assert app.screen.subject().name == "five-seed1"
        await press(app, pilot, "z")  # on one of its runs
        assert names(app) == ["<five>", "alpha", "beta", "gamma"] and app.screen.table.cursor_row == 0
        await press(app, pilot, "enter", "down", "enter")  # unfolds, then opens a run
        assert app.screen.folder.name == "five-seed0"
        await press(app, pilot, "escape")
        assert app.screen.subject().name == "five-seed0"
        await press(app, pilot, "end", "z")
        assert [note.message for note in app._notifications] == ["this run belongs to no group"]

    drive(five, script, size)


def test_space_on_a_group_marks_its_runs_to_be_compared(five: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "home", "space")
        assert sorted(Path(key).name for key in app.screen.marked) == ["five-seed0", "five-seed1", "five-seed2"]
        await press(app, pilot, "space")
        assert app.screen.marked == []

    drive(five, script, (120, 36))


def test_a_run_that_is_shown_from_outside_unfolds_its_group(five: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.session.chosen = str(five / "five-seed2")
        app.screen.runs_changed(set(), set())
        assert app.screen.subject().name == "five-seed2" and len(names(app)) == 7

    drive(five, script, (80, 24))


def test_the_mean_over_seeds_is_shown(results: Path) -> None:
    """Values after 40 and 10 epochs: the mean and half of its interval with two runs, 12.7062 |a - b| / 2."""
    grouped(results, "two-seed0", "two", 0)
    grouped(results, "two-seed1", "two", 1, epochs=10)
    values = [listing.describe(results / f"two-seed{seed}").value_mean or 0.0 for seed in (0, 1)]
    mean, half = sum(values) / 2, 12.7062 * abs(values[0] - values[1]) / 2

    async def script(app: Any, pilot: Any) -> None:
        cells = app.screen._cells(next(key for key in app.screen.table.order if key.startswith(GROUP)))
        assert cells["value"].plain == f"{mean:.4g} ± {half:.0f}" and cells["run.seed"].plain == "0-1"

    drive(results, script, (200, 60))
