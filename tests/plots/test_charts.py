"""Charts are exactly as large as asked, draw what is finite, and write escapes only when told to."""

import math

import numpy as np
import pytest

from mmrl.plots import charts, episodes, numbers, streams

SIZES = [(80, 24), (200, 60), (80, 21), (37, 11), (20, 5), (10, 3)]


def records(count: int) -> list[dict]:
    return [
        {
            "epoch": k + 1,
            "reward_mean": math.sin(k / 9),
            "reward_std": 2.0,
            "trajectories": 100,
            "inventory_mean": -k,
            "inventory_std": 3.0,
            "spread_mean": 0.1,
            "value_mean": 1e4 + k,
            "value_half": 5.0,
        }
        for k in range(count)
    ]


def episode(steps: int = 50) -> dict:
    arrays = {"time": np.arange(steps) * 2.0}
    for name in ("mid", "bid", "ask", "spread", "wealth", "inventory", "value"):
        for key in ("mean", "se", "q05", "q95"):
            arrays[f"{name}_{key}"] = np.linspace(0, 1, steps)
        arrays[f"replay_{name}"] = np.linspace(1, 0, steps)
    return arrays


def assert_fits(text: str, width: int, height: int) -> None:
    rows = text.split("\n")
    assert len(rows) == height
    assert {len(row) for row in rows} == {width}


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("count", [0, 1, 2, 300])
def test_training_figure_fits(width: int, height: int, count: int) -> None:
    assert_fits(charts.training_figure(records(count), width=width, height=height, colour=False), width, height)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_episode_and_book_fit(width: int, height: int) -> None:
    for draw in (episodes.episode_figure, episodes.book_figure):
        assert_fits(draw(episode(), width=width, height=height, colour=False), width, height)
        assert_fits(draw({}, width=width, height=height, colour=False), width, height)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e308, None])
def test_bad_numbers_leave_a_gap(bad: float | None) -> None:
    rows = records(30)
    for row in rows[10:20]:
        row["reward_mean"] = bad
    assert_fits(charts.training_figure(rows, width=80, height=24, colour=False), 80, 24)
    for row in rows:
        row["reward_mean"] = bad
    assert "waiting for the first point" in charts.training_figure(rows, ["reward"], 80, 24, False)


def test_escapes_only_with_colour() -> None:
    assert "\x1b" not in charts.training_figure(records(9), width=80, height=24, colour=False)
    painted = charts.training_figure(records(9), width=80, height=24, colour=True)
    assert "\x1b[38;5;" in painted
    assert "\x1b[48" not in painted  # no canvas is painted


def test_wants_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert streams.wants_colour(Terminal())  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert not streams.wants_colour(Terminal())  # type: ignore[arg-type]


def test_metric_band_is_the_interval() -> None:
    value = charts.metric_line(records(3), "value_mean")
    assert np.allclose(np.asarray(value.y) - np.asarray(value.low), 5.0)
    reward = charts.metric_line(records(3), "reward")  # of an earlier version: Student's t with 99 degrees of freedom
    assert np.allclose(np.asarray(reward.high) - np.asarray(reward.y), 1.98422 * 2.0 / math.sqrt(99), rtol=1e-5)
    # its inventory has a deviation over steps, which says nothing of the mean's error; nor does one of few games
    assert charts.metric_line(records(3), "inventory").low is None
    few = [{**row, "trajectories": 9} for row in records(3)]
    assert charts.metric_line(few, "reward").low is None


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (12345678, "12.35M"), (1e-5, "1.00e-05"), (10126.4, "10126"), (0.09976, "0.09976"),
        (None, "-"), (math.nan, "-"), (math.inf, "-"), (-250_000, "-250k"),
    ],
)  # fmt: skip
def test_compact(number: float | None, text: str) -> None:
    assert numbers.compact(number) == text


def test_ticks_are_round() -> None:
    assert np.allclose(numbers.ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert numbers.ticks(3, 3, 5) == [3]
