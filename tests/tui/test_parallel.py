"""Parallel values of a sweep: keys, what is said of the marked trial, clicks, trials that come in while one looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets._toast import Toast

from mmrl.plots.parallel import columns_of
from tests.tui.conftest import drive, make_run, press, screen_text
from tui.screens.parallel import BEST, MARKED, OTHER, Parallel

SPEC = """
objective = "-value"
take = "last"
[search]
lr = { low = 1e-4, high = 0.1, log = true }
minibatches = { low = 1, high = 8 }
noclip = [true, false]
"""


def trial(root: Path, number: int, epochs: int, lr: float, state: str = "finished") -> None:
    """A trial; fewer epochs mean a smaller value, which is better here."""
    settings = {"training.lr": lr, "training.minibatches": number + 1, "training.noclip": number % 2 == 0}
    folder = make_run(root, f"look-{number}", epochs=epochs, state=state, settings=settings, episodes=())
    config = folder / "config.toml"
    config.write_text(config.read_text() + '"group" = "look"\n')


@pytest.fixture
def sweep(results: Path) -> Path:
    """Beside the usual runs a sweep of five trials, the last one stopped."""
    (results / "look").mkdir()
    (results / "look" / "sweep.toml").write_text(SPEC)
    for number, (epochs, lr) in enumerate(((30, 0.1), (4, 0.01), (12, 0.001), (20, 0.0001))):
        trial(results, number, epochs, lr)
    trial(results, 4, 2, 0.05, state="interrupted")
    return results


def told(app: Any) -> str:
    return " ".join(app.screen.query_one("#trial").content.plain.split())


async def opened(app: Any, pilot: Any) -> None:
    key = next(k for k in app.screen.table.order if k.endswith("look"))
    app.screen.table.wanted = key
    app.screen.runs_changed(set(), set())
    await press(app, pilot, "V")
    assert isinstance(app.screen, Parallel)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=str)
def test_a_sweep_opens_at_its_best_finished_trial(sweep: Path, size: tuple[int, int]) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await opened(app, pilot)
        text = screen_text(app)
        assert "look  5 trials · objective -value (last)" in text
        for label in ("lr", "minibatches", "noclip", "value", "0.1", "0.0001", "true", "false"):
            assert label in text, label
        assert told(app).startswith("2 of 5 look-1 lr 0.01 minibatches 2 noclip false value 26.0")
        assert told(app).endswith("finished")
        lines = app.screen.query_one("#lines")
        assert lines.hues == [BEST, MARKED, OTHER, OTHER, OTHER]
        await press(app, pilot, "down", "j")
        assert told(app).startswith("4 of 5 look-3") and lines.hues == [BEST, OTHER, OTHER, MARKED, OTHER]
        await press(app, pilot, "end")
        assert told(app).startswith("5 of 5 look-0") and told(app).endswith("finished")
        await press(app, pilot, "down")
        assert told(app).startswith("5 of 5")
        await press(app, pilot, "home")
        assert told(app).startswith("1 of 5 look-4") and told(app).endswith("stopped")
        await press(app, pilot, "down", "enter")
        assert app.screen.folder.name == "look-1"
        await press(app, pilot, "escape", "escape")
        assert not isinstance(app.screen, Parallel)

    drive(sweep, script, size)


def test_a_click_takes_the_nearest_line(sweep: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await opened(app, pilot)
        lines = app.screen.query_one("#lines")
        first = columns_of(4, lines.size.width)[0]
        await pilot.click("#lines", offset=(first, 2))  # lr = 0.1, on top of its axis
        await pilot.pause()
        assert told(app).startswith("5 of 5 look-0")
        await pilot.click("#lines", offset=(first, lines.size.height - 2))  # lr = 0.0001, at the bottom
        await pilot.pause()
        assert told(app).startswith("4 of 5 look-3")

    drive(sweep, script, (100, 30))


def test_trials_that_come_in_are_drawn_and_the_marked_one_stays(sweep: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await opened(app, pilot)
        trial(sweep, 5, 1, 0.02)
        app.session.runs.poll()
        app.screen.runs_changed(set(), set())
        assert told(app).startswith("3 of 6 look-1")  # there is a better one now

    drive(sweep, script, (100, 30))


def test_only_a_sweep_has_parallel_values(sweep: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "end", "V")
        assert [note.message for note in app._notifications] == ["this is neither a sweep nor one of its trials"]
        app.clear_notifications()
        (sweep / "look" / "sweep.toml").write_text("what?")
        app.screen.table.wanted = next(k for k in app.screen.table.order if k.endswith("look"))
        app.screen.runs_changed(set(), set())
        await press(app, pilot, "V")
        assert [note.message for note in app._notifications][-1].endswith("sweep.toml cannot be read")

    drive(sweep, script, (100, 30))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=str)
def test_messages_do_not_cover_the_marked_trial(sweep: Path, size: tuple[int, int]) -> None:
    """While a sweep trains a message of each trial that ends would lie over what is looked at."""

    async def script(app: Any, pilot: Any) -> None:
        app._disable_notifications = False  # as they are outside of tests
        await opened(app, pilot)
        for number in range(3):
            app.notify(f"look-{number} has finished after epoch 30 with a value of 12.5 ± 0.3")
        await pilot.pause(0.1)
        toasts = list(app.screen.query(Toast))
        assert len(toasts) == 3 and all(toast.region.area for toast in toasts)
        for place in ("#trial", "KeyBar"):
            there = app.screen.query_one(place).region
            assert there.area and not any(toast.region.overlaps(there) for toast in toasts), place

    drive(sweep, script, size)
