"""Threads of an update: the same sums whatever their number, and an end to each of them."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mmrl.kernels.products import BLOCK
from mmrl.kernels.shares import playing_of
from mmrl.learn import compiled_pass
from mmrl.learn import team as module
from mmrl.learn.blocks import COPIES, LONGEST, MANY, SPREAD, span_of, spans_of
from mmrl.learn.compiled_pass import CLIP, Loss, Rows, Weights
from mmrl.learn.gradient import accumulate
from mmrl.learn.policy import make_policy
from mmrl.learn.returns import LearningBatch
from mmrl.learn.team import Pass, Team
from mmrl.settings.sources import resolve

SIZES = (6, 16, 16, 4)
ROWS, FEW = 40_000, 20_000


@pytest.fixture(autouse=True)
def processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as threads are asked for, though they take turns."""
    monkeypatch.setattr(module, "thread_count", lambda threads: threads or 8)


def given() -> tuple[Rows, Weights, Loss]:
    rng = np.random.default_rng(1)
    numbers = sum((a + 1) * b for a, b in pairwise(SIZES)) + SIZES[0] * SIZES[-1]
    observation, action, log_prob, advantage = (rng.normal(size=(ROWS, n)).astype(np.float32) for n in (6, 4, 1, 1))
    rows = Rows(observation, action, log_prob[:, 0] - 4, advantage[:, 0])
    policy = Weights((0.3 * rng.normal(size=numbers)).astype(np.float32), np.array(SIZES, np.int64))
    return rows, policy, Loss(np.full(4, -0.5, np.float32), np.zeros(0, np.int64), CLIP, 0.2, 0.01)


def equal(one: Any, other: Any) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def test_sums_do_not_depend_on_the_number_of_threads() -> None:
    """Minibatches of growing and shrinking sizes, so that memory is taken anew; the policy moves in between."""
    rows, policy, loss = given()
    passes = [Pass(rows, policy, loss, threads) for threads in (1, 2, 3)]
    rng = np.random.default_rng(0)
    around = [MANY + k % 2 for k in range(40)]  # called for by turns in both ways
    for size in (1, 127, 3_125, 300, 6_250, ROWS, 20_000, *around, 2, 3_126, *rng.integers(1, 5_000, 60).tolist()):
        order = np.sort(rng.permutation(ROWS)[:size])
        alone, *shared = (each.sums(order) for each in passes)
        assert np.isfinite(alone.policy).all() and alone.totals.any()
        assert all(equal(alone, found) for found in shared), size
        policy.flat[:] += np.float32(0.001)
        loss.log_std[:] += np.float32(0.001)
    for each in passes:
        each.close()


def test_hundreds_of_steps_in_a_row_lose_and_repeat_no_span() -> None:
    rows, policy, loss = given()
    order = np.arange(0, ROWS, 7)
    wanted = Pass(rows, policy, loss).sums(order)
    with Team(2) as team:
        shared = team.pass_of((rows,), 0.0, lambda looking: Pass(rows, policy, loss, team.threads, looking))
        assert all(equal(wanted, shared.sums(order)) for _ in range(800))


def test_a_call_waits_for_a_thread_that_still_works_for_it() -> None:
    """Threads that were looking when a minibatch of some rows more came may have taken spans of it."""
    rows, policy, loss = given()
    shared, order = Pass(rows, policy, loss, 2, looking=False), np.arange(FEW)
    shared.sums(order)
    ended: list[bool] = []

    def end() -> None:
        ended.append(True)
        shared._counters[playing_of(1)] = 0

    shared._counters[playing_of(1)] = 1
    timer = threading.Timer(0.3, end)
    timer.start()
    shared.sums(order)
    assert ended
    timer.join()


def test_threads_end_with_the_update_and_with_what_they_were_given() -> None:
    config = resolve({"policy.layer_size": 8}, None, "quickstart", {})[0]
    policy = make_policy(config)
    batch = LearningBatch.of(column[:FEW] for column in given()[0])

    def helpers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if "_help" in thread.name]

    before = helpers()
    with pytest.raises(KeyboardInterrupt), Team(3) as team:
        alone = accumulate(policy, batch, None, config, 0.01)
        assert accumulate(policy, batch, None, config, 0.01, team) == alone and len(helpers()) == len(before) + 2
        accumulate(policy, batch, None, config, 0.01, team)
        known = helpers()
        assert len(known) == len(before) + 2
        accumulate(policy, batch, None, config, 0.02, team)  # another weight of the entropy
        assert not set(known) & set(helpers()) - set(before)
        raise KeyboardInterrupt
    assert helpers() == before


def test_threads_of_a_crowded_machine_are_woken_for_twice_as_many_updates_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, policy, loss = given()
    order, team = np.arange(FEW), Team(2)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 4)
    wanted = Pass(rows, policy, loss).sums(order)

    def looked() -> bool:
        with team:
            shared = team.pass_of((), 0.0, lambda looking: Pass(rows, policy, loss, 2, looking))
            assert equal(shared.sums(order), wanted)
            return shared.looking

    monkeypatch.setattr(time, "thread_time", lambda: 0.0)  # it never ran
    crowded = [looked() for _ in range(18)]
    assert crowded == [True, False, True, *[False] * 2, True, *[False] * 4, True, *[False] * 4, True, False, False]
    monkeypatch.setattr(time, "thread_time", time.perf_counter)  # it always ran
    assert [looked() for _ in range(5)] == [False, False, True, True, True]


def test_an_error_of_a_thread_is_raised_where_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, policy, loss = given()
    real = compiled_pass.add_spans

    def failing(*arguments: Any) -> None:
        if arguments[-1] > 0:
            raise MemoryError("no room")
        real(*arguments)

    monkeypatch.setattr(module, "add_spans", failing)
    monkeypatch.setattr(module, "in_memory", lambda kernel: True)
    shared = Pass(rows, policy, loss, 2)
    with pytest.raises(MemoryError, match="no room"):
        for _ in range(1_000):
            shared.sums(np.arange(FEW))
    shared.close()


def test_where_no_thread_can_be_started_those_that_are_there_work(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, policy, loss = given()
    order = np.arange(FEW)
    wanted = Pass(rows, policy, loss).sums(order)
    Pass(rows, policy, loss, 2, looking=False).sums(order)

    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    shared = Pass(rows, policy, loss, 2)
    assert equal(shared.sums(order), wanted) and equal(shared.sums(order), wanted) and not shared.looking


@pytest.mark.parametrize("numbers", [0, 500, 66_000, 20_000_000])
def test_spans_are_as_many_as_threads_can_use_and_memory_holds(numbers: int) -> None:
    for rows in [*range(1, 3_000, 7), 4_096, 50_000, 65_536, 65_537, 10**6]:
        span = span_of(rows, numbers)
        spans = spans_of(rows, span)
        assert span % BLOCK == 0 and 0 < span <= LONGEST * BLOCK and (spans - 1) * span < rows <= spans * span
        fewest = spans_of(rows, LONGEST * BLOCK)
        assert spans == fewest or (spans <= SPREAD and spans * numbers <= COPIES)
        if numbers <= 500 and rows >= 6 * BLOCK:
            assert spans > 1
        if rows > MANY:
            assert spans == fewest
