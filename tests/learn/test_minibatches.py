"""Minibatches: random partitions, the same on one thread and on several."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from mmrl.learn.minibatches import FEW, _drawn_on, minibatches

CPU = "cpu"


@pytest.mark.parametrize(("rows", "parts"), [(1, 4), (3, 7), (100, 4), (1001, 16), (FEW + 1, 16)])
def test_minibatches_are_a_partition_and_several_threads_draw_the_same(rows: int, parts: int) -> None:
    alone, beside = np.random.default_rng(5), np.random.default_rng(5)
    drawn: list[Any] = [[*minibatches(rows, parts, 3, rng, CPU, threads)] for threads, rng in ((1, alone), (2, beside))]
    assert alone.bit_generator.state == beside.bit_generator.state
    for one, other in zip(*drawn, strict=True):
        if rows == 1:
            assert one == other == [None]
            continue
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)
            assert (np.diff(part) > 0).all() and len(part) in (rows // parts, rows // parts + 1)
        np.testing.assert_array_equal(np.sort(np.concatenate(one)), np.arange(rows))
    if rows > 20:
        first, second, _ = drawn[0]
        assert not np.array_equal(first[0], second[0])
        assert abs(np.mean(first[0]) - rows / 2) < 5 * rows / np.sqrt(12 * rows / parts)


def test_minibatches_drawn_by_a_device_are_a_partition_too() -> None:
    one, same, other = ([p.numpy() for p in _drawn_on(CPU, 1001, 16, seed) if p is not None] for seed in (5, 5, 6))
    for part, again in zip(one, same, strict=True):
        np.testing.assert_array_equal(part, again)
        assert (np.diff(part) > 0).all() and len(part) in (62, 63)
    np.testing.assert_array_equal(np.sort(np.concatenate(one)), np.arange(1001))
    assert not np.array_equal(one[0][:62], other[0][:62])


def test_rows_are_dealt_as_numpy_shuffles_them() -> None:
    """The partition of earlier versions: a run resumed now goes on to the last bit."""
    rows, parts = 1003, 4
    for drawn in minibatches(rows, parts, 1, np.random.default_rng(9), CPU):
        label = np.arange(rows) % parts
        np.random.default_rng(9).shuffle(label)
        assert [part.tolist() for part in drawn if part is not None] == [
            np.flatnonzero(label == part).tolist() for part in range(parts)
        ]


def test_where_no_thread_can_be_started_the_caller_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> list[list[int]]:
        found = minibatches(2 * FEW, 3, 4, np.random.default_rng(1), "cpu", threads=2)
        return [np.asarray(part).tolist() for one in found for part in one]

    wanted = drawn()

    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert drawn() == wanted
