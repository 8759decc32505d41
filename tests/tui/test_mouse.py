"""Everything that the mouse can do: rows, titles, tabs, charts, scrubbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.widgets import TabbedContent

from tests.tui.conftest import drive, press, screen_text, select, wheel
from tui.widgets.chart import Chart
from tui.widgets.training import TrainingCharts


def place_of(app: Any, text: str) -> tuple[int, int]:
    """Where a text stands on the screen (column, row)."""
    for row, line in enumerate(screen_text(app).splitlines()):
        if text in line:
            return line.index(text), row
    raise AssertionError(f"{text!r} is not on the screen")


def test_rows_and_titles_of_the_list(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        table = app.screen.table
        select(app, results / "alpha")
        await pilot.click(offset=place_of(app, "gamma"))
        assert Path(table.current).name == "gamma" and type(app.screen).__name__ == "RunsScreen"
        await pilot.click(offset=place_of(app, "NAME"))
        assert [Path(key).name for key in table.order] == ["alpha", "beta", "gamma"]
        assert Path(table.current).name == "gamma"  # the cursor stays on its run
        await pilot.click(offset=place_of(app, "NAME"))
        assert [Path(key).name for key in table.order] == ["gamma", "beta", "alpha"]
        await pilot.click(offset=place_of(app, "gamma"))
        await pilot.pause()
        assert type(app.screen).__name__ == "RunScreen" and app.screen.folder.name == "gamma"

    drive(results, script)


def test_tabs_and_charts_of_a_run(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        select(app, results / "alpha")
        await press(app, pilot, "enter")
        tabs, charts = app.screen.query_one(TabbedContent), app.screen.query_one(TrainingCharts)
        await pilot.click(offset=place_of(app, "5 Config"))
        assert tabs.active == "config"
        await pilot.click(offset=place_of(app, "1 Charts"))
        await pilot.pause()
        assert tabs.active == "charts"
        view, chart = charts.view, charts.charts()[0]
        middle = chart.region.x + chart.region.width // 2, chart.region.y + 5
        await wheel(pilot, middle)
        left, right = view.window((1, 40))
        assert right - left < 35 and left > 1 and right < 40 and not view.follow
        await pilot.mouse_down(offset=middle)
        await pilot.hover(offset=(middle[0] - 6, middle[1]))
        await pilot.mouse_up(offset=(middle[0] - 6, middle[1]))
        assert view.window((1, 40))[0] > left + 1  # dragged to the left: what lies right comes in sight
        for _ in range(3):
            await wheel(pilot, middle, up=False)
        assert view.span is None
        await pilot.hover(offset=middle)
        await pilot.pause()
        assert "epoch 2" in screen_text(app).splitlines()[-2] and "reward" in screen_text(app).splitlines()[-2]
        await pilot.hover(offset=(3, 0))
        await pilot.pause()
        assert "all epochs" in screen_text(app).splitlines()[-2]
        await pilot.click(offset=middle, times=2)
        await pilot.pause()
        assert chart.region.width > 100
        assert [c.id for c in charts.query(Chart) if c.is_on_screen] == ["chart-0"]

    drive(results, script)


def test_scrubbers_are_dragged(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        select(app, results / "alpha")
        await press(app, pilot, "enter", "2")
        assert "epoch 40" in screen_text(app)
        scrubber = app.screen.query_one("#episode-epochs")
        row = scrubber.region.y
        await pilot.mouse_down(offset=(scrubber.region.right - 8, row))
        await pilot.hover(offset=(scrubber.region.x + 15, row))
        await pilot.mouse_up(offset=(scrubber.region.x + 15, row))
        await pilot.pause()
        assert "epoch 20" in screen_text(app)
        await press(app, pilot, "3")
        times = app.screen.query_one("#book-times")
        await pilot.click(offset=(times.region.x + times.region.width // 2, times.region.y))
        await pilot.pause()
        assert 20 < times.at < 30 and f"step {times.at + 1}/50" in screen_text(app)
        await wheel(pilot, (times.region.x + 20, times.region.y))
        await pilot.pause()
        assert f"step {times.at + 1}/50" in screen_text(app)

    drive(results, script)
