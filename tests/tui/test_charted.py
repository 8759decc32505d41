"""Charts with figures in every view: cursor, zoom, one chart on the whole screen; one figure for one quantity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.plots.colours import place_of
from mmrl.plots.numbers import compact
from mmrl.runs.episodes import write_episode
from tests.tui.conftest import drive, episode, press, record, screen_text, select
from tests.tui.test_quotes import surfaces
from tui.screens.compare import Compare
from tui.widgets.book import BookView
from tui.widgets.chart import Chart
from tui.widgets.charted import Charted, Reading
from tui.widgets.episode import EpisodeView
from tui.widgets.quotes import QuotesView
from tui.widgets.training import TrainingCharts

VIEWS: list[tuple[str, type[Charted], int]] = [
    ("1", TrainingCharts, 4),
    ("2", EpisodeView, 5),
    ("3", BookView, 3),
    ("4", QuotesView, 6),
]


@pytest.fixture
def alpha(results: Path) -> Path:
    best = {"optimum_bid": surfaces()["quotes_bid"] + 0.125, "optimum_ask": surfaces()["quotes_ask"]}
    write_episode(results / "alpha", 40, {**episode(40), **surfaces(**best)})
    return results


async def open_view(app: Any, pilot: Any, key: str, kind: type[Charted]) -> Any:
    select(app, Path("results/alpha"))
    await press(app, pilot, "enter", key)
    return app.screen.query_one(kind)


@pytest.mark.parametrize(("key", "kind", "count"), VIEWS, ids=[kind.__name__ for _, kind, _ in VIEWS])
def test_every_view_zooms_reads_and_maximises(alpha: Path, key: str, kind: type[Charted], count: int) -> None:
    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, key, kind)
        charts = view.charts()
        assert len(charts) == count and len(view.points()) >= 21
        full = view.full()
        await press(app, pilot, "full_stop", "full_stop")
        stop = view.points()
        assert view.view.cursor in stop
        before = view.view.cursor
        await press(app, pilot, "comma")
        assert np.flatnonzero(stop == before)[0] - np.flatnonzero(stop == view.view.cursor)[0] == 1
        reading = str(view.query_one(Reading).content)
        assert reading == view.figures()
        for chart in charts:  # each has its figure
            for s in chart.content.series:
                at = int(np.argmin(np.abs(s.x - view.view.cursor)))
                assert {compact(float(s.y[at]), digits) for digits in (4, 6)} & set(reading.split())
        await press(app, pilot, "plus", "plus")
        left, right = view.view.window(full)
        assert 0 < right - left < 0.6 * (full[1] - full[0]) and left <= view.view.cursor <= right
        step = "less_than_sign" if kind is TrainingCharts else "greater_than_sign"
        await press(app, pilot, step, step, step)  # the cursor stays in sight
        assert not left <= view.view.cursor <= right
        left, right = view.view.window(full)
        assert left <= view.view.cursor <= right
        await press(app, pilot, "0", "m")
        assert view.view.span is None
        assert view.maximised is charts[0] and charts[0].size.width >= 110
        await press(app, pilot, "tab")  # shows the next chart, and only that one
        assert view.maximised is charts[1]
        assert [c for c in view.query(Chart) if c.is_on_screen and c.region] == [charts[1]]
        await press(app, pilot, "shift+tab", "shift+tab", "plus")  # the keys of the view still work
        assert view.maximised is charts[-1] and view.view.span is not None
        await press(app, pilot, "escape")
        assert view.maximised is None and app.screen.query_one(kind) is view
        assert all(chart.region.width for chart in charts)

    drive(alpha, script)


def test_a_maximised_chart_is_left_when_another_file_lacks_it(alpha: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, "4", QuotesView)
        await press(app, pilot, "m", "shift+tab")
        assert view.maximised is view.charts()[-1]
        await press(app, pilot, "left")  # an episode without a surface has two charts
        assert len(view.charts()) == 2 and view.maximised is None

    drive(alpha, script)


def test_title_panel_and_cursor_show_one_figure_for_one_quantity(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, "1", TrainingCharts)
        await press(app, pilot, "s", "s", "s", "s")
        series = view.charts()[0].content.series[0]
        raw, smooth = f"{float(series.raw[-1]):.4g}", f"{float(series.y[-1]):.4g}"
        assert raw != smooth
        assert view.charts()[0].content.title == f"reward (currency)  {raw} ± 0.4"
        panel = str(view.query_one("#facts").render())  # type: ignore[attr-defined]
        assert f"reward{raw:>26}" in panel
        await press(app, pilot, "full_stop")
        assert f"reward {raw} ± 0.4 (smoothed {smooth})" in view.figures()

    drive(results, script, (200, 60))


def test_a_log_scale_is_refused_by_what_is_signed(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, "1", TrainingCharts)
        await press(app, pilot, "y")
        assert view.view.log
        text = screen_text(app)
        [toast] = app._notifications
        assert toast.message == "inventory: no log scale, as not all values are above zero"
        assert "inventory (shares)  4.947 ± 0.6 · linear" in text and "log10" not in text
        scales = [[row[:6].strip(" ┤") for row in text.splitlines() if "┤" in row[:7]]]
        assert scales[0][0] == "10"  # values, no logarithms: rewards of 0.4 to 9.9
        await press(app, pilot, "y")
        assert not view.view.log and "· linear" not in screen_text(app).splitlines()[4]

    drive(results, script)


def test_trajectories_alive_are_shown_only_where_some_die(results: Path) -> None:
    dying = episode(40)
    dying["alive"] = np.linspace(100, 40, len(dying["time"]))
    write_episode(results / "alpha", 40, dying)

    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, "2", EpisodeView)
        assert "trajectories alive" in screen_text(app) and len(view.charts()) == 6
        await press(app, pilot, "left")  # in epoch 20 all live to the end
        assert "trajectories alive" not in screen_text(app) and len(view.charts()) == 5

    drive(results, script)


def test_a_metric_that_a_finished_run_has_not_is_not_waited_for(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, "1", TrainingCharts)
        assert isinstance(view, TrainingCharts)
        view.show_metric("optimality")
        await press(app, pilot)
        assert "this run has no optimality" in screen_text(app) and "waiting" not in screen_text(app)

    drive(results, script)


def test_optimality_is_joined_in_compare(results: Path) -> None:
    for name in ("alpha", "beta"):
        lines = [record(e, **({"optimality": 0.5 + e / 100} if e % 10 == 0 else {})) for e in range(1, 41)]
        (results / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    async def script(app: Any, pilot: Any) -> None:
        app.push_screen(Compare(app.session, [results / n for n in ("alpha", "beta", "gamma")]))
        await press(app, pilot)
        app.screen.metric = "optimality"
        await press(app, pilot)
        chart = app.screen.query_one(Chart)
        assert [s.x.tolist() for s in chart.content.series] == [[10, 20, 30, 40]] * 2  # no line for the one without
        marked = sum(letter in "●▲" for letter in screen_text(app))
        dots = sum("\u2800" < letter <= "\u28ff" for letter in screen_text(app))
        assert dots > 60 > marked  # lines, not four lone dots each
        app.screen.metric = "kl"
        await press(app, pilot)
        assert "none of these runs has kl" in screen_text(app)

    drive(results, script)


def test_further_orders_of_a_side_are_drawn(results: Path) -> None:
    own = surfaces()
    sizes = {"quotes_bid_size": np.full((3, 21), 2.0), "quotes_ask_size": np.full((3, 21), 4.0)}
    second = {
        f"quotes_{side}_2_{kind}": own["quotes_bid"] + 1 for side in ("bid", "ask") for kind in ("distance", "size")
    }
    write_episode(results / "alpha", 40, {**episode(40), **own, **sizes, **second})

    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, "4", QuotesView)
        series = view.charts()[0].content.series
        assert [s.name for s in series] == ["bid", "ask", "bid 2", "ask 2"]
        assert [s.hue for s in series] == [place_of(n) for n in ("bid", "ask", "bid", "ask")]
        np.testing.assert_allclose(series[2].y, own["quotes_bid"][0] + 1)
        assert "2 bid" in screen_text(app)

    drive(results, script)


def test_fills_of_a_replayed_day_are_marks_that_the_cursor_reads(results: Path) -> None:
    fills = {"time": np.array([10.25, 30.0]), "price": np.array([532.4, 533.6]), "shares": np.array([2.0, -1.0])}
    write_episode(results / "alpha", 40, {**episode(40), **{f"fill_{name}": x for name, x in fills.items()}})

    async def script(app: Any, pilot: Any) -> None:
        view = await open_view(app, pilot, "2", EpisodeView)
        chart = view.charts()[0]
        found = {s.label: (s.x.tolist(), s.y.tolist(), s.points, s.mark) for s in chart.content.series}
        assert found["bought"] == ([10.25], [532.4], True, "^") and found["sold"] == ([30.0], [533.6], True, "v")
        text = screen_text(app)
        assert "bought" in text and "sold" in text and "^" in text
        chart.view.cursor = 30.0
        assert "bought 532.4 at 10.25" in chart.reading()
        assert chart.reading().endswith("sold 533.6")

    drive(results, script)
