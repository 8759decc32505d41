"""Parallel values as characters: where a line meets the axes, labels, unknown values, sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmrl.plots.parallel import Upright, chosen_from, columns_of, parallel, ranged
from mmrl.plots.picture import ASCII, BLOCK, BRAILLE, Charset


def test_places_on_axes_by_hand() -> None:
    values = np.array([1e-3, 1e-1, 1e-2, -1.0, math.nan])
    np.testing.assert_allclose(ranged("lr", values, 1e-3, 1e-1, ("", ""), log=True).at, [0, 1, 0.5, math.nan, math.nan])
    np.testing.assert_allclose(ranged("n", np.array([2.0, 5.0, 9.0]), 2, 6, ("", "")).at, [0, 0.75, 1])
    np.testing.assert_allclose(ranged("loss", np.array([0.1, 0.5]), 0.5, 0.1, ("", "")).at, [1, 0])  # less is better
    np.testing.assert_allclose(ranged("same", np.array([3.0, math.nan]), 3, 3, ("", "")).at, [0.5, math.nan])
    choice = chosen_from("kind", ["b", "c", "a", "x"], ["a", "b", "c"])
    np.testing.assert_allclose(choice.at, [0.5, 1, 0, math.nan])
    assert list(choice.labels) == [(0.0, "a"), (0.5, "b"), (1.0, "c")]


@pytest.mark.parametrize("charset", [BRAILLE, BLOCK, ASCII], ids=["braille", "block", "ascii"])
@pytest.mark.parametrize(("width", "height"), [(78, 18), (24, 8), (196, 50)])
def test_the_marked_line_meets_every_axis_where_its_value_is(width: int, height: int, charset: Charset) -> None:
    axes = [
        Upright("lr", np.array([0.0, 1.0]), ((0.0, "low"), (1.0, "high"))),
        Upright("size", np.array([1.0, 0.0]), ((0.0, "1"), (1.0, "8"))),
        Upright("value", np.array([0.5, math.nan]), ((0.0, "-1"), (1.0, "9"))),
    ]
    picture = parallel(axes, [5, 6], 0, width, height, charset)
    assert picture.cells.shape == (height, width)
    rows, columns = height - 3, columns_of(3, width)
    for column, row in zip(columns, (2 + rows - 1, 2, 2 + rows - 1 - rows // 2), strict=True):
        assert picture.cells[row, column] == charset.dot and picture.colours[row, column] == 5
    lines = picture.lines(colour=False)
    assert all(name in lines[0] for name in ("lr", "size", "value"))
    assert "high" in lines[1] and "8" in lines[1] and "low" in lines[-1] and "-1" in lines[-1]
    assert (picture.cells == charset.dot).sum() == 3  # of the other trial no dot, and no end that is not known
    other = np.argwhere(picture.colours == 6)[:, 1]
    assert len(other) and other.max() <= columns[1]


def test_labels_between_the_ends_stand_beside_their_axis() -> None:
    axes = [chosen_from("kind", ["b"], ["a", "b", "c"]), Upright("value", np.array([0.0]), ())]
    lines = parallel(axes, [1], 0, 60, 14).lines(colour=False)
    assert lines[2 + 5][columns_of(2, 60)[0] + 1] == "b"


def test_too_small_says_so() -> None:
    axes = [Upright("a", np.array([0.0]), ()), Upright("b", np.array([0.0]), ())]
    assert "too small" in "".join(parallel(axes, [1], 0, 23, 9).lines(colour=False))
