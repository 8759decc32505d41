"""The policy of eight trajectories at once: each gets, to the last bit, what it would get alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from mmrl.kernels.instructions import LANES
from mmrl.kernels.play import CLIP
from mmrl.kernels.random import LAYERS, normals, seed_stream
from mmrl.kernels.sampling import Maker, normalised, sample_gaussian
from mmrl.kernels.sampling_beside import normalise_beside, normals_beside, sample_beside
from mmrl.kernels.turning import on_stack
from mmrl.rollout.lockstep import WORK

DRAWS = 2_000


@njit
def drawn_beside(seed, draws):  # type: ignore[no-untyped-def]
    work, out = on_stack(WORK), np.zeros((draws, LANES))
    for lane in range(LANES):
        seed_stream(work.rng[:, lane], seed, 0, lane)
    for k in range(draws):
        normals_beside(work.rng, work, out[k])
    return out, work.rng.copy()


@njit
def drawn_alone(seed, draws, lane):  # type: ignore[no-untyped-def]
    rng, out = np.empty(4, np.uint64), np.zeros(draws)
    seed_stream(rng, seed, 0, lane)
    normals(rng, out)
    return out, rng


def test_normal_numbers_are_those_of_each_stream_alone() -> None:
    beside, streams = drawn_beside(7, DRAWS)
    refused = 0
    for lane in range(LANES):
        alone, stream = drawn_alone(7, DRAWS, lane)
        np.testing.assert_array_equal(beside[:, lane], alone)
        np.testing.assert_array_equal(streams[:, lane], stream)
        refused += int((np.abs(alone) > LAYERS[1, 0]).sum())  # of the tail: drawn beyond the layers
    assert refused > 0


@njit
def sampled_beside(maker, std, outputs, seed, action, quote):  # type: ignore[no-untyped-def]
    work = on_stack(WORK)
    for lane in range(LANES):
        seed_stream(work.rng[:, lane], seed, 0, lane)
    sample_beside(maker, std, outputs, work, action, quote)
    return work.log_prob.copy()


@njit
def sampled_alone(maker, std, outputs, seed, lane, action, quote):  # type: ignore[no-untyped-def]
    rng = np.empty(4, np.uint64)
    seed_stream(rng, seed, 0, lane)
    return sample_gaussian(maker, std, outputs, rng, action, quote)


def maker_of(axes: int, deterministic: int) -> Any:
    rng = np.random.default_rng(axes)
    some: dict[str, Any] = {name: np.zeros(0) for name in Maker._fields}
    some |= {"log_std": rng.normal(size=axes).astype(np.float32), "scale": rng.normal(size=(axes, 2))}
    return Maker(**some)._replace(kind=0, deterministic=deterministic, fading=0.0)


@pytest.mark.parametrize("deterministic", [0, 1])
@pytest.mark.parametrize("axes", [1, 2, 4])
def test_actions_are_those_of_each_trajectory_alone(axes: int, deterministic: int) -> None:
    maker = maker_of(axes, deterministic)
    std, rng = np.exp(maker.log_std.astype(float)), np.random.default_rng(1)
    for seed in range(50):
        outputs = rng.normal(size=(axes + 3, LANES)).astype(np.float32)
        action, quote = np.full((axes, LANES), np.nan, np.float32), np.full((axes, LANES), np.nan)
        log_prob = sampled_beside(maker, std, outputs, seed, action, quote)
        for lane in range(LANES):
            a, q = np.zeros(axes, np.float32), np.zeros(axes)
            assert log_prob[lane] == sampled_alone(maker, std, outputs[:axes, lane].copy(), seed, lane, a, q)
            np.testing.assert_array_equal(action[:, lane], a)
            np.testing.assert_array_equal(quote[:, lane], q)


@njit
def compiled_normalise(raw, mean, std, count, out):  # type: ignore[no-untyped-def]
    normalise_beside(raw, mean, std, count, out)


@njit
def one_normalised(raw, mean, std, clip):  # type: ignore[no-untyped-def]
    return normalised(raw, mean, std, clip)


def test_observations_are_normalised_as_alone_and_what_is_no_number_stays_so() -> None:
    rng = np.random.default_rng(2)
    raw, mean, std = (rng.normal(size=s).astype(np.float32) for s in ((3, LANES), 3, 3))
    std = np.abs(std)
    raw[0, :4] = np.nan, np.inf, -np.inf, 1e30
    out = np.full((5, LANES), 7.0, np.float32)
    compiled_normalise(raw, mean, std, 3, out)
    wanted = [[one_normalised(raw[j, k], mean[j], std[j], CLIP) for k in range(LANES)] for j in range(3)]
    np.testing.assert_array_equal(out[:3], np.array(wanted, np.float32))
    assert np.isnan(out[0, 0]) and out[0, 1:4].tolist() == [CLIP, -CLIP, CLIP]
    assert (out[3:] == 7.0).all()
