"""The live view smooths what is noisy, the raw values behind it; figures stay raw; --smooth works or is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import app
from mmrl.display.frame import Frame
from mmrl.display.live import LiveView
from mmrl.display.progress import Progress
from mmrl.plots.charts import Columns, metric_line, training_figure
from mmrl.plots.smoothing import USUAL, Ema
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config


def rows(count: int = 60) -> list[dict[str, Any]]:
    return [
        {
            "epoch": k,
            "reward_mean": k + 20.0 * (-1) ** k,
            "inventory_mean": 3.0 * (-1) ** k,
            "spread_mean": 1.0 + k / 100,
            "optimality": 0.5 + k / 200 if k % 10 == 0 else None,
        }
        for k in range(1, count + 1)
    ]


def test_means_of_a_batch_are_smoothed_with_the_raw_values_behind() -> None:
    records = rows()
    raw = metric_line(records, "reward")
    smooth = metric_line(records, "reward", smooth=0.8)
    assert raw.raw is None
    np.testing.assert_array_equal(np.asarray(smooth.raw), np.asarray(raw.y))
    # m_t / (1 - w^n) with m_t = w m_(t-1) + (1 - w) y_t
    mean, expected = 0.0, []
    for n, y in enumerate(np.asarray(raw.y), 1):
        mean = 0.8 * mean + 0.2 * y
        expected.append(mean / (1 - 0.8**n))
    np.testing.assert_allclose(np.asarray(smooth.y), expected)
    exact = metric_line(records, "optimality", smooth=0.8)
    assert exact.raw is None and np.asarray(exact.y).tolist() == pytest.approx([55, 60, 65, 70, 75, 80])


def test_columns_smooth_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    records = rows(50)
    columns = Columns(records)
    first = columns.smoothed("reward_mean", 0.8).copy()
    records += rows(60)[50:]
    columns.grow()
    taken: list[int] = []
    extended = Ema.extended

    def spy(self: Ema, y: Any) -> Any:
        taken.append(len(y) - self._done)
        return extended(self, y)

    monkeypatch.setattr(Ema, "extended", spy)
    np.testing.assert_array_equal(columns.smoothed("reward_mean", 0.8)[:50], first)
    assert taken == [10]


def test_the_title_shows_the_newest_value_not_the_smoothed_one() -> None:
    for smooth in (0.0, 0.9):
        assert "reward (currency)  80" in training_figure(rows(), ("reward",), 60, 12, smooth=smooth)


def test_the_line_below_the_charts_says_the_same_as_their_titles() -> None:
    progress = Progress()
    for row in rows():
        progress.add({**row, "value_mean": 1.0})
    progress.records += rows()
    text = "\n".join(Frame(progress).rows(200, 40, False))
    for name, shown in (("reward (currency)", "80"), ("optimality", "80.00 %"), ("spread (currency)", "1.6")):
        assert f"{name}  {shown}" in text and f"{name.split()[0]} {shown}" in text.splitlines()[-1]


def frame(smooth: float) -> list[str]:
    progress = Progress()
    progress.records += rows()
    return Frame(progress, smooth=smooth).rows(120, 30, False)


def test_the_live_view_smooths_unless_told_otherwise() -> None:
    progress = Progress()
    progress.records += rows()
    usual = Frame(progress).rows(120, 30, False)
    assert usual == frame(USUAL) != frame(0.0)
    view = LiveView(Console(width=80, height=24, file=io.StringIO()), out=io.StringIO(), smooth=0.5)
    assert view._frame.smooth == 0.5


def test_what_is_printed_at_the_end_is_smoothed_alike() -> None:
    screen = io.StringIO()
    console = Console(width=80, height=24, file=screen, force_terminal=True, color_system=None, no_color=True)
    view = LiveView(console, rate=0.01, out=io.StringIO(), smooth=0.0)
    view.start(Config(), Path("run"), 60)
    for row in rows():
        view.epoch(row)
    view.finish({"state": "finished", "epochs": 60})
    expected = training_figure(view.progress.records, ("reward", "inventory", "spread", "optimality"), 80, 20, False)
    assert expected.splitlines()[3] in screen.getvalue()


@pytest.mark.parametrize("flag", ["--json", "--detach", "--dry-run", "--plot"])
def test_where_no_charts_are_drawn_smoothing_is_refused(flag: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train", "--smooth", "0.5", flag, "--results", str(tmp_path / "r")])
    assert isinstance(done.exception, ConfigError) and flag in str(done.exception)
    assert "--smooth has no effect" in str(done.exception) and not (tmp_path / "r").exists()


def test_without_a_terminal_smoothing_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train", "--smooth", "0.5", "--results", str(tmp_path / "r")])
    assert isinstance(done.exception, ConfigError) and "without a terminal" in str(done.exception)
    assert not (tmp_path / "r").exists()
    assert CliRunner().invoke(app, ["train", "--smooth", "1.5"]).exit_code == 2
