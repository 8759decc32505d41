"""Tiles of eight steps of eight trajectories: written by step, read by trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from mmrl.kernels import turning
from mmrl.kernels.turning import clear, largest, on_stack, put, take, take_pairs, turn

RECORD = np.dtype([("numbers", np.float64, (3, 8)), ("few", np.float32, (5,))])


@njit
def compiled_put(tile, row, numbers):  # type: ignore[no-untyped-def]
    put(tile, row, numbers)


@njit
def compiled_turn(tile, column, first, apart):  # type: ignore[no-untyped-def]
    turn(tile, column, first, apart)


@njit
def compiled_clear(column, first, apart):  # type: ignore[no-untyped-def]
    clear(column, first, apart)


@njit
def compiled_take(numbers, places, out):  # type: ignore[no-untyped-def]
    take(numbers, places, out)


@njit
def compiled_pairs(pairs, places, out):  # type: ignore[no-untyped-def]
    take_pairs(pairs, places, out)


@njit
def compiled_largest(numbers):  # type: ignore[no-untyped-def]
    return largest(numbers)


@njit
def sum_on_stack(row, number):  # type: ignore[no-untyped-def]
    a, b = on_stack(RECORD), on_stack(RECORD)
    a.numbers[row, 3] = number
    b.few[4] = 1.0
    return a.numbers.sum() + 10.0 * b.few.sum() + 100.0 * b.numbers.sum() + 1000.0 * a.few.sum()


@pytest.mark.parametrize(("tile", "column"), [("f8", "f8"), ("f4", "f4"), ("i8", "i4"), ("f8", "f4")])
@pytest.mark.parametrize("do", [compiled_turn, turning._turn_in_order])
def test_a_tile_becomes_rows_of_eight_trajectories(do: Any, tile: str, column: str) -> None:
    given = np.arange(-7, 57).reshape(8, 8).astype(tile)
    apart, first = 11, 3
    out = np.full(first + 8 * apart, 99, column)
    do(given, out, first, apart)
    for lane in range(8):
        begins = first + lane * apart
        np.testing.assert_array_equal(out[begins : begins + 8], given[:, lane])
        np.testing.assert_array_equal(out[begins + 8 : begins + apart], 99)
    np.testing.assert_array_equal(out[:first], 99)


@pytest.mark.parametrize("do", [compiled_turn, turning._turn_in_order])
def test_two_rows_of_a_tile_are_the_two_numbers_of_a_row(do: Any) -> None:
    given = np.arange(128, dtype=np.float32).reshape(16, 8)
    out = np.full((2 + 8 * 9, 2), 999, np.float32)
    do(given, out, 2, 9)
    for lane in range(8):
        for k in range(8):
            assert out[2 + 9 * lane + k].tolist() == [given[2 * k, lane], given[2 * k + 1, lane]]
        assert (out[2 + 9 * lane + 8] == 999).all()


@pytest.mark.parametrize("do", [compiled_clear, turning._clear_in_order])
def test_what_would_be_written_is_cleared(do: Any) -> None:
    out = np.ones(3 + 8 * 10, np.float32)
    do(out, 3, 10)
    assert out[:3].all() and out[3:].reshape(8, 10)[:, 8:].all() and not out[3:].reshape(8, 10)[:, :8].any()


@pytest.mark.parametrize(("tile", "numbers"), [("f8", "f8"), ("f4", "f8"), ("i8", "i8"), ("i4", "i8")])
@pytest.mark.parametrize("do", [compiled_put, turning._put_in_order])
def test_numbers_become_a_row_in_the_type_of_the_tile(do: Any, tile: str, numbers: str) -> None:
    out, given = np.zeros((4, 8), tile), np.arange(-3, 5).astype(numbers) * 7
    do(out, 2, given)
    np.testing.assert_array_equal(out[2], given.astype(tile))
    assert not out[[0, 1, 3]].any()


@pytest.mark.parametrize(("one", "two"), [(compiled_take, compiled_pairs), (turning._take_in_order,) * 2])
def test_numbers_and_pairs_are_taken_from_their_places(one: Any, two: Any) -> None:
    rng = np.random.default_rng(3)
    numbers, places = rng.random((20, 2)), rng.integers(0, 20, 8)
    out, pairs = np.zeros(8), np.zeros((2, 8))
    one(np.ascontiguousarray(numbers[:, 0]), places, out)
    two(numbers, places, pairs)
    np.testing.assert_array_equal(out, numbers[places, 0])
    np.testing.assert_array_equal(pairs, numbers[places].T)


@pytest.mark.parametrize("do", [compiled_largest, turning._largest_in_order])
def test_the_largest_of_eight(do: Any) -> None:
    for place in range(8):
        numbers = np.full(8, -5)
        numbers[place] = -4
        assert do(numbers) == -4


def test_numbers_apart_from_each_other_are_refused() -> None:
    with pytest.raises(TypingError, match="do not lie one after another"):
        compiled_pairs(np.zeros((4, 4))[:, ::2], np.zeros(8, np.int64), np.zeros((2, 8)))


def test_records_of_a_kernel_begin_empty_and_apart() -> None:
    for _ in range(3):
        assert sum_on_stack(1, 2.5) == 12.5
