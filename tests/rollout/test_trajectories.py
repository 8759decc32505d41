"""The CSR batch against dense arrays worked out by hand or by loops."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from mmrl.rollout.trajectories import NoLiveSteps, Trajectories


@pytest.fixture
def batch_of(make_trajectories: Callable[..., Trajectories]) -> Callable[[list[int]], Trajectories]:
    """Rows numbered from 1, trajectories from 0."""

    def make(lengths: list[int]) -> Trajectories:
        row, end = np.arange(1, sum(lengths) + 1, dtype=np.float64), np.arange(len(lengths), dtype=np.float64)
        return make_trajectories(
            lengths,
            observation=np.ones((row.size, 2), np.float32),
            action=np.ones((row.size, 2), np.float32),
            log_prob=-np.ones(row.size, np.float32),
            reward=row,
            inventory=np.full(row.size, 9, np.int32),
            mid=row,
            bid=row - 1,
            ask=row + 1,
            cash=row,
            bought=np.full(row.size, 2, np.int32),
            paid=row,
            final_value=end + 100,
            final_cash=end,
            final_mid=end + 50,
        ).validate()

    return make


def test_segment_sums_and_means_of_ragged_and_empty_trajectories(batch_of: Callable[..., Any]) -> None:
    batch = batch_of([2, 0, 3, 1, 0])
    np.testing.assert_array_equal(batch.lengths, [2, 0, 3, 1, 0])
    np.testing.assert_array_equal(batch.segment_sum(batch.reward), [3, 0, 12, 6, 0])
    np.testing.assert_array_equal(batch.segment_mean(batch.reward), [1.5, np.nan, 4, 6, np.nan])


def test_dense_and_sparse_views_hold_the_same_numbers(batch_of: Callable[..., Any]) -> None:
    batch = batch_of([2, 0, 3])
    dense, mask = batch.to_dense("reward", steps=4)
    np.testing.assert_array_equal(dense, [[1, 2, 0, 0], [0, 0, 0, 0], [3, 4, 5, 0]])
    np.testing.assert_array_equal(mask, dense > 0)
    sparse = batch.to_sparse_csr("reward", steps=4)
    assert sparse.layout == torch.sparse_csr
    np.testing.assert_array_equal(sparse.to_dense().numpy(), dense)
    assert sparse.values().data_ptr() == batch.reward.ctypes.data  # a view, not a copy


def test_by_step_averages_over_those_alive(batch_of: Callable[..., Any]) -> None:
    by_step = batch_of([2, 0, 3]).by_step("reward")
    np.testing.assert_array_equal(by_step.count, [2, 2, 1])
    np.testing.assert_array_equal(by_step.mean, [2, 3, 5])
    np.testing.assert_array_equal(by_step.std, [1, 1, 0])


def test_padding_has_fixed_length_and_can_be_undone(batch_of: Callable[..., Any]) -> None:
    batch = batch_of([2, 0, 3])
    padded = batch.pad(4).validate()
    np.testing.assert_array_equal(padded.lengths, [4, 4, 4])
    np.testing.assert_array_equal(padded.reward.reshape(3, 4), batch.to_dense("reward", 4)[0])
    np.testing.assert_array_equal(padded.step, [0, 1, 2, 3] * 3)
    np.testing.assert_array_equal(padded.value[:4], [10, 20, 0, 0])
    np.testing.assert_array_equal(padded.time[:4], [0, 1, 2, 2])
    np.testing.assert_array_equal(padded.cash[8:], [3, 4, 5, 2])
    np.testing.assert_array_equal(padded.bid[:4], [0, 1, 50, 50])  # nobody quotes any more
    np.testing.assert_array_equal(padded.ask[:4], [2, 3, 50, 50])
    np.testing.assert_array_equal(padded.bought, [2, 2, 0, 0, 0, 0, 0, 0, 2, 2, 2, 0])  # and nothing happens
    np.testing.assert_array_equal(padded.paid[8:], [3, 4, 5, 0])
    assert not padded.observation[2:8].any()
    again = padded.without_padding()
    np.testing.assert_array_equal(again.bought, batch.bought)
    np.testing.assert_array_equal(again.offsets, batch.offsets)
    np.testing.assert_array_equal(again.reward, batch.reward)
    with pytest.raises(ValueError, match="cannot pad to 2"):
        batch.pad(2)


def test_steps_are_counted_within_each_trajectory(batch_of: Callable[..., Any]) -> None:
    batch = batch_of([2, 0, 3])
    for step in (batch.step, batch.on("cpu").step.numpy()):
        assert step.dtype == np.int32
        np.testing.assert_array_equal(step, [0, 1, 0, 1, 2])
    assert batch_of([0]).step.size == 0


def test_what_stands_after_each_row(batch_of: Callable[..., Any]) -> None:
    batch = batch_of([2, 0, 3, 0])
    np.testing.assert_array_equal(batch.value, [10, 20, 30, 40, 50])
    np.testing.assert_array_equal(batch.after("value"), [20, 100, 40, 50, 102])
    np.testing.assert_array_equal(batch.after("time"), [1, 2, 1, 2, 3])
    np.testing.assert_array_equal(batch.after("inventory"), [9, 0, 9, 9, 0])
    assert batch_of([0, 0]).after("value").size == 0


def test_bad_batches_are_refused(batch_of: Callable[..., Any]) -> None:
    batch = batch_of([2, 3])
    with pytest.raises(ValueError, match="offsets must rise"):
        replace(batch, offsets=np.array([0, 2, 4])).validate()
    with pytest.raises(ValueError, match="reward has 4 rows where 5"):
        replace(batch, reward=batch.reward[1:]).validate()
    with pytest.raises(ValueError, match="beyond the 2 steps"):
        batch.to_dense("reward", steps=2)


def test_a_batch_without_live_steps_says_so(batch_of: Callable[..., Any]) -> None:
    with pytest.raises(NoLiveSteps, match="all 3 trajectories ended before their first step"):
        batch_of([0, 0, 0]).validate().require_live()
