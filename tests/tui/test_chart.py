"""The chart widget by itself: what it paints anew, at which size, and what NaN does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from textual.app import App, ComposeResult

from mmrl.plots import picture, raster
from mmrl.plots.axes import Axis
from tests.tui.conftest import screen_text
from tui.widgets.chart import Chart, charset
from tui.widgets.view import Content, Series


class Alone(App[None]):
    """One chart on the whole screen."""

    def compose(self) -> ComposeResult:
        yield Chart()


def alone(script: Callable[[Any, Any, Chart], Awaitable[None]], size: tuple[int, int] = (60, 12)) -> None:
    async def run() -> None:
        app = Alone()
        async with app.run_test(size=size) as pilot:
            await script(app, pilot, app.query_one(Chart))

    asyncio.run(run())


def content(y: list[float]) -> Content:
    x = np.arange(1.0, len(y) + 1)
    return Content([Series(x, np.array(y))], "title")


def drawn(y: list[float], width: int, height: int) -> list[str]:
    """The rows of the same curve, drawn without the widget."""
    x = np.arange(1.0, len(y) + 1)
    curve = raster.Curve(x, y, colour=0)
    across = Axis("epoch", (1.0, float(len(y))), whole=True)
    return [text.rstrip() for text in raster.chart([curve], "title", width, height, across).lines(colour=False)]


def test_only_rows_that_change_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(app: Any, pilot: Any, chart: Chart) -> None:
        painted: list[int] = []
        refresh = chart.refresh

        def spy(*regions: Any, **more: Any) -> Any:
            painted.extend(region.y for region in regions)
            return refresh(*regions, **more)

        y = [0.0, 10.0] + [0.0] * 98
        chart.show(content(y))
        await pilot.pause()
        assert screen_text(app).splitlines() == drawn(y, 60, 12)
        monkeypatch.setattr(chart, "refresh", spy)
        chart.show(content(y))
        assert painted == []  # the same picture
        y[-1] = 3.0
        chart.show(content(y))
        assert painted and set(painted) < set(range(4, 10)) and painted == sorted(painted)
        await pilot.pause()
        assert screen_text(app).splitlines() == drawn(y, 60, 12)
        before = {segment.style for segment in chart.render_line(5)}
        app.theme = "textual-light"  # other colours everywhere
        await pilot.pause()
        assert not before & {segment.style for segment in chart.render_line(5)}

    alone(script)


def test_another_size_is_another_picture() -> None:
    y = [float(v) for v in range(50)]

    async def script(app: Any, pilot: Any, chart: Chart) -> None:
        chart.show(content(y))
        for width, height in ((60, 12), (90, 12), (90, 20), (33, 20), (12, 4), (61, 13)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            lines = screen_text(app).splitlines()
            assert len(lines) == height
            if width > 12:
                assert lines == drawn(y, width, height)

    alone(script)


def test_a_gap_stays_empty_and_nothing_is_waited_for() -> None:
    async def script(app: Any, pilot: Any, chart: Chart) -> None:
        await pilot.pause()
        assert "waiting for the first point" in screen_text(app)
        y = [1.0] * 30 + [float("nan")] * 40 + [2.0] * 30
        chart.show(content(y))
        await pilot.pause()
        lines = screen_text(app).splitlines()
        inside = [line[8:].ljust(52)[22:34] for line in lines[1:-3]]
        assert not "".join(inside).strip()  # the middle third
        assert lines == drawn(y, 60, 12)

    alone(script)


def test_characters_follow_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMRL_CHARS", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert charset() is picture.BRAILLE
    monkeypatch.setenv("TERM", "linux")
    assert charset() is picture.BLOCK
    monkeypatch.setenv("MMRL_CHARS", "ascii")
    assert charset() is picture.ASCII

    async def script(app: Any, pilot: Any, chart: Chart) -> None:
        chart.show(content([0.0, 1.0, 0.5]))
        chart.view.cursor = 2.0
        chart.redraw()
        await pilot.pause()
        assert screen_text(app).isascii() and "|" in screen_text(app)

    alone(script)
