"""How every screen looks at three sizes, as text; those with curves in colour as well, as SVG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.runs.book_recording import BookRecording
from mmrl.runs.episodes import write_episode
from mmrl.settings.fields import field
from tests.tui.conftest import check_snapshot, drive, episode, press, screen_text, select
from tests.tui.test_book import replay
from tests.tui.test_quotes import surfaces

SIZES = [(80, 24), *(pytest.param(size, marks=pytest.mark.nightly) for size in ((120, 36), (200, 60)))]
SHOWN = [("market", "name"), ("market", "nt"), ("training", "ne"), ("training", "lr"), ("policy", "kind")]


def several_orders() -> BookRecording:
    """A small book with two orders of the maker a side from its second step on."""
    found = replay()
    own = {99: 4, 98: 6, 103: 3, 104: 5}
    mine = [own.get(int(price), 0) if step else 0 for price, step in zip(found.price, changes(found), strict=True)]
    return replace(found, own=np.minimum(np.abs(found.shares), np.maximum(found.own, mine)).astype(np.int32))


def changes(recording: BookRecording) -> np.ndarray:
    """The step of each change."""
    return np.repeat(np.arange(len(recording.step)), np.diff(recording.offsets))


@pytest.fixture
def furnished(results: Path) -> Path:
    """The usual runs, one of them with a book and with quotes beside the optimum."""
    own = surfaces()
    best = {"optimum_bid": own["quotes_bid"] + 0.1, "optimum_ask": own["quotes_ask"] - 0.02}
    book = several_orders().arrays()
    write_episode(results / "alpha", 40, {**episode(40), **own, **best, **book})
    return results


@pytest.mark.usefixtures("short_form")
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_screen(furnished: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [field(f"{group}.{name}") for group, name in SHOWN]
    for module in ("tui.screens.compare", "tui.widgets.config_and_log"):  # a new setting changes no snapshot
        monkeypatch.setattr(f"{module}.fields", lambda *market: shown)
    suffix = f"{size[0]}x{size[1]}"

    def check(name: str, app: Any, colours: bool = False) -> None:
        check_snapshot(f"{name}-{suffix}", screen_text(app))
        if colours:
            check_snapshot(f"{name}-{suffix}", app.export_screenshot(title="mmrl"), "svg")

    async def script(app: Any, pilot: Any) -> None:
        check("runs", app, colours=True)
        select(app, furnished / "alpha")
        await press(app, pilot, "space")
        select(app, furnished / "beta")
        await press(app, pilot, "space", "c")
        check("compare-curves", app, colours=True)
        await press(app, pilot, "2")
        check("compare-differences", app)
        await press(app, pilot, "3")
        check("compare-final", app)
        await press(app, pilot, "escape")
        select(app, furnished / "alpha")
        await press(app, pilot, "enter")
        assert ("newest" in screen_text(app)) == (size[0] == 200)  # the panel of values beside the charts
        await press(app, pilot, "s", "s")
        check("charts", app, colours=True)
        await press(app, pilot, "less_than_sign", "m", "tab")
        check("charts-one", app)
        await press(app, pilot, "escape", "v")
        check("dialog-metric", app)
        await press(app, pilot, "escape", "x")
        check("dialog-expand", app)
        await press(app, pilot, "escape", "2")
        check("episode", app, colours=True)
        await press(app, pilot, "3", "right", "right")
        check("book", app, colours=True)
        await press(app, pilot, "4", "full_stop")
        check("quotes", app, colours=True)
        for key, tab in (("5", "config"), ("6", "log")):
            await press(app, pilot, key)
            check(tab, app)
        await press(app, pilot, "question_mark")
        check("help", app)
        await press(app, pilot, "escape", "escape", "delete")
        check("dialog-trash", app)
        await press(app, pilot, "escape", "n")
        check("new", app)

    drive(furnished, script, size)
