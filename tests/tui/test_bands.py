"""The band around a curve: 95 % interval, 10 % to 90 % of the trajectories, or none; runs without quantiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.tui.conftest import drive, press, record, screen_text
from tui.widgets.training import TrainingCharts, choices


def with_quantiles(folder: Path) -> None:
    lines = []
    for epoch in range(1, 41):
        more: dict[str, Any] = {"value_q10": 10.0 + epoch, "value_q90": 200.0 + epoch}
        if epoch % 10 == 0:
            more["optimality"] = 0.5 + epoch / 100
        lines.append(json.dumps(record(epoch, **more)) + "\n")
    (folder / "metrics.jsonl").write_text("".join(lines))


def test_the_band_is_chosen_and_remembered(results: Path) -> None:
    with_quantiles(results / "alpha")

    async def script(app: Any, pilot: Any) -> None:
        while app.screen.subject().name != "alpha":
            await press(app, pilot, "j")
        await press(app, pilot, "enter")
        charts = app.screen.query_one(TrainingCharts)
        value = charts.charts()[3]
        assert "95 % interval" in screen_text(app)
        series = value.content.series[0]
        np.testing.assert_allclose(series.high - series.y, 2.0)
        await press(app, pilot, "b")
        assert "10 % to 90 %" in screen_text(app) and app.session.settings.band == "quantiles"
        series = value.content.series[0]
        np.testing.assert_allclose(series.low, 10.0 + np.arange(1, 41))
        np.testing.assert_allclose(series.high, 200.0 + np.arange(1, 41))
        reward = charts.charts()[0].content.series[0]  # this run has no quantiles of it: its interval stays away
        assert reward.low is None
        await press(app, pilot, "full_stop")
        assert "(50 to 240)" in screen_text(app)
        await press(app, pilot, "b")
        assert value.content.series[0].low is None and "no band" not in choices(charts.metrics)
        assert not any(name.endswith(("q10", "q90")) for name in choices(charts.metrics))

    drive(results, script)


def test_optimality_is_a_line_through_its_grades(results: Path) -> None:
    with_quantiles(results / "alpha")

    async def script(app: Any, pilot: Any) -> None:
        while app.screen.subject().name != "alpha":
            await press(app, pilot, "j")
        await press(app, pilot, "enter")
        charts = app.screen.query_one(TrainingCharts)
        assert "optimality" in choices(charts.metrics)
        charts.metric = "optimality"
        await press(app, pilot)
        series = charts.charts()[3].content.series[0]
        assert series.x.tolist() == [10, 20, 30, 40]
        np.testing.assert_allclose(series.y, [60, 70, 80, 90])
        assert "optimality  90.00 %" in screen_text(app)
        await press(app, pilot, "s", "s")  # smoothed from grade to grade
        smooth = charts.charts()[3].content.series[0]
        assert len(smooth.y) == len(smooth.x) == 4 and np.isfinite(smooth.y).all()

    drive(results, script)
