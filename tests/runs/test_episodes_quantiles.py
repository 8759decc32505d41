"""Quantiles of an epoch's trajectories in its record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmrl.learn.profile import NUMBERS, Profile
from mmrl.learn.record import batch_record
from mmrl.rollout.threads import each
from mmrl.rollout.trajectories import Trajectories


@pytest.fixture
def batch(make_trajectories: Callable[..., Trajectories]) -> Callable[[list[int]], Trajectories]:
    def make(lengths: list[int]) -> Trajectories:
        rng = np.random.default_rng(1)
        rows = sum(lengths)
        mid = rng.normal(100, 1, rows)
        return make_trajectories(
            lengths,
            reward=rng.normal(size=rows),
            time=rng.choice([0.5, 1.0, 1.5], size=rows),
            cash=rng.normal(size=rows),
            inventory=rng.integers(-9, 9, rows).astype(np.int32),
            mid=mid,
            bid=mid - rng.uniform(1, 2, rows),
            ask=mid + rng.uniform(1, 2, rows),
            final_value=rng.normal(50, 20, len(lengths)),
        )

    return make


def test_quantiles_are_those_of_the_trajectories(batch: Callable[[list[int]], Trajectories]) -> None:
    lengths = [3, 10, 1, 7, 5, 12, 2, 9, 4, 6, 8]
    b = batch(lengths)
    record = batch_record(b)
    parts = [slice(a, z) for a, z in zip(b.offsets[:-1], b.offsets[1:], strict=True)]
    each: dict[str, Any] = {
        "reward": [b.reward[p].sum() for p in parts],
        "value": b.final_value,
        "inventory": [b.inventory[p].mean() for p in parts],
        "spread": [(b.ask - b.bid)[p].mean() for p in parts],
    }
    for name, values in each.items():  # of eleven sorted numbers the second is the 10 % quantile, the tenth the 90 %
        assert record[f"{name}_q10"] == pytest.approx(sorted(values)[1])
        assert record[f"{name}_q90"] == pytest.approx(sorted(values)[9])


def test_a_trajectory_of_no_step_has_no_mean(batch: Callable[[list[int]], Trajectories]) -> None:
    record = batch_record(batch([4, 0, 4]))
    assert np.isfinite([record["inventory_q10"], record["spread_q90"], record["reward_q10"]]).all()


@pytest.mark.parametrize("lengths", [[7], [12, 12, 12], [3, 10, 1, 7, 5, 12, 2, 9, 4, 6, 8], [5] * 40, [900, 2, 850]])
@pytest.mark.parametrize("size", [1, 200, NUMBERS])
def test_an_episode_has_the_statistics_of_the_trajectories_alive(
    batch: Callable[[list[int]], Trajectories], monkeypatch: pytest.MonkeyPatch, lengths: list[int], size: int
) -> None:
    """To the last bit those of numpy, step by step, and the longest trajectory itself."""
    b = batch(lengths)
    monkeypatch.setattr("mmrl.learn.profile.NUMBERS", size)
    whole = Profile(b)
    for k in range(whole.parts):
        whole.part(k)
    profile = whole.arrays()
    for threads in (2, 3):
        at_once = Profile(b)
        each(at_once.part, at_once.parts, threads)
        again = at_once.arrays()
        assert list(again) == list(profile) and all(np.array_equal(again[name], profile[name]) for name in profile)
    longest, kept = int(np.argmax(lengths)), len(profile["alive"])
    steps = np.unique(np.linspace(0, max(lengths) - 1, kept).astype(int))
    assert kept == len(steps) == min(max(lengths), 250)
    columns = {name: getattr(b, name) for name in ("mid", "bid", "ask", "inventory", "value")}
    columns |= {"spread": b.ask - b.bid, "wealth": b.cash}
    for k, step in enumerate(steps):
        rows = [int(first) + step for first, length in zip(b.offsets, lengths, strict=False) if step < length]
        assert profile["alive"][k] == len(rows)
        moments = b.time[rows]
        assert profile["time"][k] == (moments[0] if np.ptp(moments) == 0 else pytest.approx(moments.mean(), rel=1e-12))
        for name, column in columns.items():
            sample = column[rows].astype(np.float64)
            assert profile[f"{name}_mean"][k] == pytest.approx(sample.mean(), rel=1e-12, abs=1e-12)
            error = sample.std() / np.sqrt(len(rows))
            assert profile[f"{name}_se"][k] == pytest.approx(error, rel=1e-9, abs=1e-12)
            for end, share in (("q05", 0.05), ("q95", 0.95)):
                assert profile[f"{name}_{end}"][k] == np.quantile(sample, share)
            assert profile[f"replay_{name}"][k] == column[int(b.offsets[longest]) + step]


def test_a_time_that_all_share_is_shown_to_the_last_bit(make_trajectories: Callable[..., Trajectories]) -> None:
    zero, times = np.zeros(33), np.tile([0.1, 0.2, 0.3], 11)
    assert sum(times[::3].tolist()) / 11 != 0.1  # what a sum in turn makes of it
    columns = dict.fromkeys(("mid", "bid", "ask", "cash", "reward"), zero)
    profile = Profile(make_trajectories([3] * 11, time=times, inventory=zero.astype(np.int32), **columns))
    profile.part(0)
    assert profile.arrays()["time"].tolist() == [0.1, 0.2, 0.3]
