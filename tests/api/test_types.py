"""What type checkers know of the library: mypy checks the lines with `assert_type` (make types), the rest runs."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, assert_type, get_type_hints

import numpy as np
import numpy.typing as npt

import mmrl
from mmrl.rollout.trajectories import Trajectories
from mmrl.runs.listing import RunInfo

GOOD = Path(__file__).resolve().parents[2] / "good-results"
GAME = "avellaneda-stoikov-ppo"


def test_columns_of_trajectories_are_arrays_of_the_types_that_they_say() -> None:
    batch = mmrl.simulate(GAME, trajectories=2, results=GOOD)
    assert_type(batch.mid, npt.NDArray[np.float64])
    assert_type(batch.inventory, npt.NDArray[np.int32])
    assert_type(batch.observation, npt.NDArray[np.float32])
    assert_type(batch.terminated, npt.NDArray[np.bool_])
    assert_type(batch.lengths, npt.NDArray[np.int64])
    assert_type(batch.to_dense("mid")[1], npt.NDArray[np.bool_])
    said = get_type_hints(Trajectories)
    there = {column.name: getattr(batch, column.name) for column in fields(batch)}
    there = {name: array for name, array in there.items() if array is not None}
    assert len(there) == len(fields(batch)) - 1  # no batch is padded by itself
    for name, array in there.items():
        assert f"numpy.dtype[numpy.{array.dtype}]" in str(said[name]), name
    assert batch.lengths.dtype == np.int64


def test_what_the_other_functions_give_has_types() -> None:
    rows = mmrl.evaluate("symmetric", config=mmrl.Config.of(nt=20), trajectories=20)
    assert isinstance(assert_type(rows[0], dict[str, Any]), dict)
    assert isinstance(assert_type(rows[:1], list[dict[str, Any]]), list)
    assert [type(run) for run in assert_type(mmrl.runs(GOOD), list[RunInfo])] == [RunInfo] * 3
    assert type(assert_type(mmrl.load(GAME, GOOD).quote().bid_distance, float)) is float
    book = mmrl.LimitOrderBook(1, 5)
    book.bid(2, 3)
    assert assert_type(book.best("bid"), tuple[int, int] | None) == (3, 2)
    assert assert_type(book.depth("bid"), list[tuple[int, int, int]]) == [(3, 2, 0)]
