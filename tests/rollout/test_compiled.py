"""The compiled engine: reproducible, independent of threads, and its books balance."""

from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.kernels.network import forward, width_of
from mmrl.markets.contract import market_named, spec_of
from mmrl.rollout.compiled import prepare, rollout
from mmrl.rollout.law import parameters_of, remembered
from mmrl.rollout.lockstep import rollout_of
from mmrl.rollout.quoters import fixed
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights, pack
from mmrl.settings.build import build
from mmrl.settings.model import Config

Untrained = Callable[..., PolicyWeights]


def assert_equal(a: Trajectories, b: Trajectories) -> None:
    for field in fields(a):
        if field.name != "live":
            np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


@pytest.mark.parametrize("name", ["book", "avellaneda-stoikov"])
def test_threads_and_splits_change_nothing(name: str, untrained: Untrained) -> None:
    config = build({"market": {"name": name, "nt": 100}})
    policy = untrained(config)
    one = rollout(config, policy, 4, 2, count=12, threads=1).validate()
    assert_equal(one, rollout(config, policy, 4, 2, count=12, threads=3))
    part = rollout(config, policy, 4, 2, first=5, count=3, threads=1)
    np.testing.assert_array_equal(part.final_value, one.final_value[5:8])
    assert not np.array_equal(one.final_value, rollout(config, policy, 5, 2, count=12).final_value)
    assert not np.array_equal(one.final_value, rollout(config, policy, 4, 3, count=12).final_value)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(["book", "avellaneda-stoikov"]),
    st.integers(1, 9),
    st.integers(1, 5),
    st.lists(st.integers(0, 8), max_size=3),
    st.integers(0, 2**63 - 1),
    st.integers(0, 1000),
)
def test_no_split_and_no_thread_count_shows(
    untrained: Untrained, name: str, count: int, threads: int, cuts: list[int], seed: int, first: int
) -> None:
    """Any number of threads, and any cut of first .. first + count - 1 into parts, gives the same rows."""
    config = build({"market": {"name": name, "nt": 25, **({"book_size": 60} if name == "book" else {})}})
    policy = untrained(config)
    whole = rollout(config, policy, seed, 7, first, count, threads=1)
    assert_equal(whole, rollout(config, policy, seed, 7, first, count, threads=threads))
    edges = sorted({0, count, *(c for c in cuts if c < count)})
    parts = [rollout(config, policy, seed, 7, first + a, b - a, threads=threads) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(whole.lengths, np.concatenate([part.lengths for part in parts]))
    for field in fields(whole):
        if field.name not in ("live", "offsets"):
            joined = np.concatenate([getattr(part, field.name)[: part.nnz or None] for part in parts if part.nnz])
            np.testing.assert_array_equal(getattr(whole, field.name)[: len(joined)], joined, err_msg=field.name)


RAW = 1e4  # observations are divided by it, so that nothing is clipped


def watcher(config: Config, bias: tuple[float, ...]) -> PolicyWeights:
    """A policy that always does the same and whose observations can be read off."""
    obs = len(spec_of(config).columns)
    layers = [(np.zeros((obs, 4), np.float32), np.array(bias, np.float32))]
    return PolicyWeights(layers, np.full(4, -60, np.float32), np.zeros(obs, np.float32), np.full(obs, RAW, np.float32))


def test_columns_of_the_observation() -> None:
    """The last three states, newest first, then time left, inventory, S - S_0 and W."""
    config = build({"market": {"nt": 30, "n_obs": 3, "observation": "full", "volatility": 0.05}})
    assert len(spec_of(config).columns) == 3 * 4 + 1 + 3
    batch = rollout(config, watcher(config, (0.0, -1.4, 0.0, -1.4)), 1, 0, count=3, threads=1)
    for n in range(3):
        rows = slice(batch.offsets[n], batch.offsets[n + 1])
        seen = RAW * batch.observation[rows].astype(float)
        assert not seen[0, 4:12].any() and not seen[1, 8:12].any()
        np.testing.assert_array_equal(seen[1:, 4:8], seen[:-1, :4])
        np.testing.assert_array_equal(seen[2:, 8:12], seen[:-2, :4])
        np.testing.assert_allclose(seen[:, 12], 1 - np.arange(30) / 30, atol=1e-6)
        np.testing.assert_allclose(seen[:, 13], batch.inventory[rows], atol=1e-5)
        np.testing.assert_allclose(seen[:, 14], batch.mid[rows] - 533, atol=1e-5)
        np.testing.assert_allclose(seen[:, 15], batch.cash[rows], rtol=1e-6, atol=1e-3)
        assert batch.inventory[rows].any() and np.all(seen[:, 0] >= 1) and np.all(seen[:, 2] >= 1)
        last = RAW * batch.last_observation[n].astype(float)
        np.testing.assert_array_equal(last[4:12], seen[[-1, -2], :4].ravel())
        np.testing.assert_allclose(last[12:14], [0, batch.final_inventory[n]], atol=1e-5)


def test_distances_are_seen_before_the_action() -> None:
    config = build({"market": {"nt": 30, "observation": "state"}})
    far = (0.0, 90.0, 0.0, 90.0)  # orders far from the touch: the best quotes stay what they are
    batch = rollout(config, watcher(config, far), 1, 0, count=3, threads=1)
    seen = RAW * batch.observation.astype(float)
    assert len(spec_of(config).columns) == 5
    np.testing.assert_allclose(seen[:, 1], batch.mid - batch.bid, atol=1e-5)
    np.testing.assert_allclose(seen[:, 3], batch.ask - batch.mid, atol=1e-5)


@pytest.mark.parametrize("name", ["book", "avellaneda-stoikov"])
def test_accounts_balance(name: str, untrained: Untrained) -> None:
    config = build({"market": {"name": name, "nt": 200}, "reward": {"immediate": "pnl", "final": "none"}})
    batch = rollout(config, untrained(config), 1, 0, count=8)
    np.testing.assert_allclose(batch.value, batch.cash + batch.inventory * batch.mid, atol=1e-6)
    np.testing.assert_allclose(batch.final_value, batch.final_cash + batch.final_inventory * batch.final_mid, atol=1e-6)
    np.testing.assert_allclose(batch.segment_sum(batch.reward), batch.final_value, atol=1e-6)
    if name == "book":
        assert np.all(batch.bid <= batch.ask)


def test_early_end_is_recorded() -> None:
    config = build({"market": {"nt": 200, "book_size": 60}, "reward": {"immediate": "none"}})
    batch = rollout(config, fixed(0, 0, 0, 0), 1, 0, count=20).validate()
    assert batch.terminated.any() and batch.lengths.min() < 200
    last = batch.reward[batch.offsets[1:] - 1]
    np.testing.assert_allclose(last, np.where(batch.terminated, 0.0, batch.final_value))


def test_log_probability_of_the_recorded_action(untrained: Untrained) -> None:
    config = build({"market": {"nt": 50}})
    policy = untrained(config)
    batch = rollout(config, policy, 1, 0, count=2)
    mean = policy.forward(batch.observation)
    z = (batch.action - mean) / np.exp(policy.log_std)
    want = (-0.5 * z**2 - policy.log_std - 0.5 * np.log(2 * np.pi)).sum(axis=1)
    np.testing.assert_allclose(batch.log_prob, want, atol=1e-4)


def test_categorical_log_probability(untrained: Untrained) -> None:
    config = build({"market": {"nt": 50}, "policy": {"kind": "categorical"}})
    groups = [len(axis.grid) for axis in spec_of(config).axes]
    assert groups == [8, 10, 8, 10]
    policy = untrained(config)
    batch = rollout(config, policy, 1, 0, count=2)
    logits, want, start = policy.forward(batch.observation), np.zeros(batch.nnz), 0
    for a, size in enumerate(groups):
        part = logits[:, start : start + size]
        want += part[np.arange(batch.nnz), batch.action[:, a].astype(int)] - np.log(np.exp(part).sum(axis=1))
        start += size
    np.testing.assert_allclose(batch.log_prob, want, atol=1e-4)


def test_network_agrees_with_numpy(untrained: Untrained) -> None:
    policy = untrained(Config())
    flat, sizes = pack(policy)
    hidden = np.zeros((3, width_of(sizes)), np.float32)
    x = np.linspace(-1, 1, 6).astype(np.float32)
    hidden[0, :6] = x
    row = forward(flat, sizes, hidden)
    np.testing.assert_allclose(hidden[row, :4], policy.forward(x), atol=1e-5)


def test_each_kernel_is_compiled_for_one_signature_only(untrained: Untrained) -> None:
    """A second signature would double the first start: arrays must be of one kind whatever the batch."""
    for name in ("book", "avellaneda-stoikov"):
        for nt, nb, threads in ((1, 1, 1), (5, 1, 1), (5, 4, 1), (5, 9, 2)):
            config = build({"market": {"name": name, "nt": nt}, "training": {"nb": nb}})
            prepare(config, (True, False))
            rollout(config, fixed(*[1.0] * len(spec_of(config).axes)), 1, 1, threads=threads)
            rollout(config, untrained(config), 1, 1, threads=threads)
        for kernel in (market_named(name).kernel, rollout_of(name, remembered(config, parameters_of(config.market)))):
            assert len(kernel.signatures) == 1
