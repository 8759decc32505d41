"""Axes and legends: ticks at equal distances in one notation, whole epochs, values on log axes, no name cut off."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.plots import numbers, raster
from mmrl.plots.axes import EPOCHS, MIN_HEIGHT, Axis, axis, fitted
from mmrl.plots.lines import legend
from mmrl.plots.picture import ASCII
from mmrl.plots.raster import Curve, chart

SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def test_labels_are_in_one_notation() -> None:
    assert numbers.labels([-100_000, -50_000, 0, 50_000]) == ["-100k", "-50k", "0", "50k"]  # was -50000 beside -100k
    assert numbers.labels([0, 0.25, 0.5]) == ["0", "0.25", "0.50"]
    assert numbers.labels([99_500, 100_000]) == ["99.5k", "100.0k"]
    assert numbers.labels([1e-6, 2e-6]) == ["1e-6", "2e-6"]
    assert numbers.labels([58_113.2, 58_113.4]) == ["58113.2", "58113.4"]


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9), st.integers(2, 60))
@settings(max_examples=300, deadline=None)
def test_ticks_stand_equally_many_cells_apart(low: float, size: float, rows: int) -> None:
    high = low + size
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        return
    bottom, top, places = numbers.even_ticks(low, high, rows)
    cell = (top - bottom) / rows
    assert bottom <= low + 1e-9 * abs(low) and top >= high - 1e-9 * abs(high)
    assert top - bottom < 3.1 * (high - low)  # the curve keeps at least a third of the chart
    assert len(places) >= 2 or rows < 3
    cells = [(p - bottom) / cell for p in places]
    assert all(abs(c - round(c)) < 1e-3 and -1e-3 <= c < rows for c in cells)
    assert len({round(b) - round(a) for a, b in pairwise(cells)}) <= 1
    texts = numbers.labels(places)
    assert len({text[-1] for text in texts if text != "0" and text[-1] in "kMGT"}) <= 1
    assert len({len(text.partition(".")[2]) for text in texts if text != "0"}) == 1


@given(st.integers(1, 10_000), st.integers(16, 200))
@settings(max_examples=200, deadline=None)
def test_epochs_are_whole_and_their_labels_apart(last: int, columns: int) -> None:
    places, names = numbers.fitting_ticks(1.0, last + 0.5, columns, whole=True)
    assert all(p == int(p) and 1 <= p <= last for p in places)
    assert names == [numbers.labels(places)[k] for k in range(len(places))]
    assert len({b - a for a, b in pairwise(places)}) <= 1
    gaps = [(b - a) / (last - 0.5) * columns for a, b in pairwise(places)]
    assert all(gap >= max(map(len, names)) + 2 for gap in gaps) or len(places) <= 2


def lines(curves: list[Curve], width: int = 60, height: int = 16, **more: Axis) -> list[str]:
    return chart(curves, "t", width, height, charset=ASCII, **more).lines(colour=False)


def test_a_log_axis_is_labelled_with_values() -> None:
    x = np.arange(1.0, 101.0)
    rows = lines([Curve(x, 10.0 ** (x / 25))], upward=Axis(log=True), across=EPOCHS)
    found = [row.split("+")[0].strip() for row in rows if "+" in row[:8]][:-1]
    assert found == ["10000", "1000", "100", "10"]
    level = [at for at, row in enumerate(rows) if "+" in row[:8]][:-1]
    assert len({b - a for a, b in pairwise(level)}) == 1  # powers of ten stand equally far apart


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (12, 90, ["20", "50"]),
        (57.1, 58.9, ["57.5", "58.0", "58.5"]),
        (1e-5, 3e4, ["0.0001", "0.01", "1", "100", "10000"]),
        (1e-7, 3e6, ["1e-6", "1e-3", "1e0", "1e3", "1e6"]),
    ],
)
def test_log_ticks(low: float, high: float, expected: list[str]) -> None:
    assert numbers.log_ticks(low, high, 5)[1] == expected


def test_a_signed_curve_refuses_a_log_axis() -> None:
    x = np.arange(20.0)
    linear = lines([Curve(x, x - 3)])
    assert lines([Curve(x, x - 3)], upward=Axis(log=True)) == linear
    assert lines([Curve(x, x + 3)], upward=Axis(log=True)) != lines([Curve(x, x + 3)])
    assert raster.signed([[1.0, -1e-9]]) and raster.signed([[0.0, math.nan]]) and not raster.signed([[0.0, 2.0]])


def test_a_band_that_reaches_zero_is_drawn_on_a_log_axis() -> None:
    x = np.arange(1.0, 50.0)
    rows = lines([Curve(x, x, x - 10, x + 10)], upward=Axis(log=True))
    assert any(letter in "".join(rows[1:-2]) for letter in ".:'")


NAMES = st.lists(st.text("abcdefghij-", min_size=1, max_size=40), min_size=1, max_size=6)


@given(NAMES, st.integers(24, 120), st.integers(8, 30))
@settings(max_examples=150, deadline=None)
def test_no_name_of_a_legend_is_cut(names: list[str], width: int, height: int) -> None:
    x = np.arange(9.0)
    curves = [Curve(x, x + k, colour=k, label=name) for k, name in enumerate(names)]
    picture = chart(curves, "title", width, height)
    head = "\n".join(picture.lines(colour=False)[: height - MIN_HEIGHT + 1])
    shown = re.findall(r"─ (\S+)", head)
    room = (height - MIN_HEIGHT + 1) * (width // 46) >= len(names) + 1
    for name, found in zip(names, shown, strict=False):
        start, dots, end = found.partition("…")
        assert found == name or (dots and name.startswith(start) and name.endswith(end))
        assert found == name or not room  # it is shortened only where it cannot wrap
    assert len(shown) == len(names) or width < 4 * len(names) + 8


def test_a_legend_in_lines_wraps_and_shortens() -> None:
    rows = legend([("a", "x" * 30, 1), ("b", "y" * 10, 2), ("c", "z" * 60, 3)], 40, colour=False)
    assert [row.split() for row in rows] == [["a", "x" * 30], ["b", "y" * 10], ["c", f"{'z' * 18}…{'z' * 17}"]]
    assert all(len(row) <= 40 for row in rows)


def test_a_title_keeps_its_figure() -> None:
    assert fitted("inventory (shares)  -0.42 ± 0.11", 40) == "inventory (shares)  -0.42 ± 0.11"
    assert fitted("inventory (shares)  -0.42 ± 0.11", 26) == "inventory  -0.42 ± 0.11"
    assert fitted("explained variance  -0.42 ± 0.11", 24).endswith("  -0.42 ± 0.11")


def test_marks_stand_beside_the_curve_on_their_side() -> None:
    x = np.arange(0.0, 41.0)
    learned = Curve(x, x, colour=1)
    picture = chart([learned, Curve(x, x + 0.2, colour=2, mark="◇", points=True)], "t", 60, 20)
    alone = chart([learned], "t", 60, 20, upward=Axis(limits=(0.0, 40.2)))
    marks = np.argwhere(picture.cells == "◇")
    assert len(marks) > 5 and np.diff(np.sort(marks[:, 1])).min() >= 4
    for row, column in marks:
        assert alone.cells[row, column] == " " and picture.colours[row, column] == 2
        curve = np.flatnonzero(alone.cells[1:-2, column] > "\u2800") + 1
        assert row < curve.min()  # the point is above the curve, if only by a fifth of a cell
    far = chart([learned, Curve(x, 40 - x, colour=2, mark="◇", points=True)], "t", 60, 20)
    for row, column in np.argwhere(far.cells == "◇"):
        falls = np.flatnonzero(chart([Curve(x, 40 - x)], "t", 60, 20).cells[1:-2, column] > "\u2800") + 1
        assert falls.min() - 2 <= row <= falls.max() + 2


def test_the_name_of_an_axis_hides_no_tick() -> None:
    x = np.arange(1.0, 61.0)
    rows = lines([Curve(x, x)], across=EPOCHS)
    assert rows[-2].count("+") - 1 == len(rows[-1].split()) and " epoch " in rows[-2]
    assert axis("inventory (shares)").whole and not axis("time (ms)").whole
