"""Trajectories of a learned policy side by side: each is, to the last bit, what the market's own loop plays alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mmrl.kernels.instructions import LANES
from mmrl.kernels.network import forward, forward_beside, width_of
from mmrl.kernels.play import Draw, Ends, Rows, shared
from mmrl.markets.contract import market_of, spec_of
from mmrl.rollout import compiled
from mmrl.rollout.buffers import Buffers, room_for_ends
from mmrl.rollout.compiled import rollout, rollouts
from mmrl.rollout.law import law_of, memory_of, shared_of, sharing, size_of
from mmrl.rollout.makers import maker_of, unlearned
from mmrl.rollout.quoters import fixed, learned
from mmrl.rollout.rewards import reward_of
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights, pack
from mmrl.runs import memory
from mmrl.settings.build import build
from mmrl.settings.model import Config

Untrained = Callable[..., PolicyWeights]

EMPTYING = {
    "name": "book",
    "nt": 200,
    "book_size": 3_000,
    "owner": "maker",
    "crossed": "dropped",
    "market_order": "walk",
    "exhausted": "refilled",
    "touch_size": "lot",
    "priority": "size",
    "rounding": "nearest",
    "large_sizes": "formula",
}
CASES: dict[str, dict[str, Any]] = {
    "avellaneda-stoikov": {"market": {"name": "avellaneda-stoikov", "nt": 30}},
    # a skew that fades towards the end, in each lane at its own step
    "entropic": {
        "market": {"name": "avellaneda-stoikov", "nt": 30, "skew": "cara"},
        "reward": {"utility": "entropic"},
    },
    "book": {"market": {"name": "book", "nt": 60}},
    # books of which most run empty: the step that empties one is its last, or leaves no trace
    "ended": {"market": {**EMPTYING, "emptying_step": "kept"}},
    "discarded": {"market": {**EMPTYING, "emptying_step": "discarded"}},
    "last states": {"market": {"name": "book", "nt": 60, "n_obs": 3, "observation": "full"}},
    "order-flow": {"market": {"name": "order-flow", "nt": 20}},
    "choices": {"market": {"name": "order-flow", "nt": 20}, "policy": {"kind": "categorical"}},
}


def alone(config: Config, policy: PolicyWeights, seed: int, epoch: int, count: int) -> tuple[Rows, Ends]:
    """The draw by the kernel of the market, one trajectory after the other, with flows."""
    spec, steps = spec_of(config), spec_of(config).steps
    rows = Buffers().rows(count * steps, len(spec.columns), len(spec.axes))
    ends = room_for_ends(count, len(spec.columns), len(spec.split))
    parameters = market_of(config).dynamics.parameters(config.market)
    draw = shared(Draw(seed, epoch, 0, count, steps))
    market_of(config).kernel(parameters, maker_of(config, learned(policy)), reward_of(config), rows, ends, draw)
    lived = np.arange(steps) < ends.length[:, None]
    return Rows(*(column[lived.ravel()] for column in rows)), ends


def assert_same(rows: Rows, ends: Ends, batch: Trajectories) -> None:
    for name, column in rows._asdict().items():
        np.testing.assert_array_equal(getattr(batch, name), column, err_msg=name)
    np.testing.assert_array_equal(np.diff(batch.offsets), ends.length)
    for name in ("time", "cash", "inventory", "mid", "value"):
        np.testing.assert_array_equal(getattr(batch, f"final_{name}"), getattr(ends, name), err_msg=name)
    np.testing.assert_array_equal(batch.terminated, ends.terminated)
    np.testing.assert_array_equal(batch.last_observation, ends.observation)
    np.testing.assert_array_equal(batch.split, ends.split)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 7, 8, 21])
def test_every_trajectory_is_what_it_is_alone(case: str, count: int, untrained: Untrained) -> None:
    config = build(CASES[case])
    policy = untrained(config)
    rows, ends = alone(config, policy, 5, 3, count)
    if case in ("ended", "discarded"):
        assert count < 7 or 0 < ends.terminated.sum() < count
    for threads in (1, 2, 3):
        assert_same(rows, ends, rollout(config, policy, 5, 3, count=count, threads=threads).validate())


@pytest.mark.parametrize("case", ["ended", "order-flow", "choices"])
@pytest.mark.parametrize("count", [0, 1, 9, 21])
def test_quoters_that_are_played_at_once_are_what_they_are_alone(
    case: str, count: int, untrained: Untrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learned ones, sampled and not, beside another kind; with fewer and more threads than quoters, and in calls that
    take some of the trajectories only."""
    config = build(CASES[case])
    policy, axes = untrained(config), len(spec_of(config).axes)
    quoters = [learned(policy), learned(policy, deterministic=True), fixed(*[0.7] * axes)]
    want = [rollout(config, quoter, 5, 3, count=count, threads=1) for quoter in quoters]
    for steps_a_call in (10**9, 1):
        monkeypatch.setattr(compiled, "_STEPS_A_CALL", steps_a_call)
        for threads in (1, 2, 3, 5, 80):
            found = rollouts(config, quoters, 5, 3, count=count, threads=threads)
            for expected, batch in zip(want, found, strict=True):
                ends = Ends(
                    batch.lengths, batch.final_time, batch.final_cash, batch.final_inventory, batch.final_mid,
                    batch.final_value, batch.terminated, batch.last_observation, np.asarray(batch.split),
                )  # fmt: skip
                assert_same(Rows(*(getattr(batch, name) for name in Rows._fields)), ends, expected)


def test_two_quoters_need_buffers_of_their_own(untrained: Untrained) -> None:
    config = build(CASES["book"])
    policy, buffers = untrained(config), [Buffers(flows=False), Buffers(flows=False)]
    ways = [learned(policy), learned(policy, deterministic=True)]
    first, second = rollouts(config, ways, 5, 3, count=4, threads=2, buffers=buffers)
    assert not np.shares_memory(first.reward, second.reward) and (first.reward != second.reward).any()
    again = rollouts(config, ways[::-1], 5, 4, count=4, threads=2, buffers=buffers)
    assert np.shares_memory(first.reward, again[0].reward)
    with pytest.raises(ValueError, match="zip"):
        rollouts(config, ways, 5, 3, count=4, buffers=buffers[:1])


def test_nothing_depends_on_the_lanes_and_the_trajectories_of_a_call(
    untrained: Untrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where states are so large that few fit side by side, and where a draw takes several calls."""
    config = build(CASES["ended"])
    policy = untrained(config)
    rows, ends = alone(config, policy, 5, 3, 21)
    for bytes_ in (0.0, 3.0 * memory_of_a_state(config), 1e12):
        monkeypatch.setattr(memory, "STATES", bytes_)
        for steps in (1, 900, 10**9):
            monkeypatch.setattr(compiled, "_STEPS_A_CALL", steps)
            for threads in (1, 2):
                assert_same(rows, ends, rollout(config, policy, 5, 3, count=21, threads=threads))


def memory_of_a_state(config: Config) -> float:
    return float(size_of(law_of(config)[2]))


def test_states_are_used_again_and_rows_overwritten(untrained: Untrained) -> None:
    config = build(CASES["book"])
    policy, buffers = untrained(config), Buffers()
    first = rollout(config, policy, 1, 1, count=9, threads=2, buffers=buffers)
    mid = first.mid.copy()
    second = rollout(config, policy, 1, 2, count=9, threads=2, buffers=buffers)
    assert np.shares_memory(first.mid, second.mid)
    assert_same(*alone(config, policy, 1, 2, 9), second)
    again = rollout(config, policy, 1, 1, count=9, threads=1, buffers=buffers)
    np.testing.assert_array_equal(again.mid, mid)


def test_parts_in_common_are_those_of_the_present_parameters() -> None:
    config = build(CASES["order-flow"])
    _, parameters, state = law_of(config)
    shared = shared_of(state, parameters)
    assert shared == {"tape": "tape"}
    kept = memory_of(state, 2, shared)
    other = parameters._replace(tape=np.zeros((5, parameters.tape.shape[1])))
    parts = sharing(kept, law_of(config, other)[2], shared)
    assert parts[3] is other.tape and all(parts[k] is kept[k] for k in (0, 1, 2, 4))
    assert sharing(kept, state, {}) is kept


def test_a_thread_plays_as_many_states_as_vectors_have_numbers() -> None:
    assert memory.SIDE_BY_SIDE == LANES
    assert memory.states_at_once(1e3) == LANES and memory.states_at_once(1e9) == 1
    assert memory.states_at_once(memory.STATES / 3) == 3


@pytest.mark.parametrize("sizes", [(3, 4), (2, 32, 32, 2), (6, 16, 16, 4), (9, 40, 24, 8, 5), (22, 64, 64, 13)])
def test_the_network_of_eight_rows_is_that_of_each(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(sizes))
    layers = [
        (rng.normal(size=(a, b)).astype(np.float32), rng.normal(size=b).astype(np.float32)) for a, b in pairwise(sizes)
    ]
    skip = rng.normal(size=(sizes[0], sizes[-1])).astype(np.float32)
    zeros, ones = np.zeros(sizes[0], np.float32), np.ones(sizes[0], np.float32)
    policy = PolicyWeights(layers, np.zeros(0, np.float32), zeros, ones, skip)
    flat, padded = pack(policy)
    x = rng.normal(size=(sizes[0], LANES)).astype(np.float32) * 3.0
    together = np.full((3, width_of(padded), LANES), np.nan, np.float32)
    together[0, : sizes[0]] = x
    row = forward_beside(flat, padded, sizes[-1], together)
    for lane in range(LANES):
        hidden = np.full((3, width_of(padded)), np.nan, np.float32)
        hidden[0, : sizes[0]] = x[:, lane]
        got = hidden[forward(flat, padded, hidden), : sizes[-1]]
        np.testing.assert_array_equal(together[row, : sizes[-1], lane], got)
        np.testing.assert_allclose(got, policy.forward(x[:, lane]), atol=1e-4)


def test_a_policy_that_has_learned_nothing_quotes_its_centres() -> None:
    config = build(CASES["avellaneda-stoikov"])
    batch = rollout(config, learned(unlearned(config), deterministic=True), 1, 1, count=3)
    assert (batch.action == 0.0).all()


PLAIN = """
import sys
import numpy as np
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.build import build

for name, obs, axes in (("avellaneda-stoikov", 2, 2), ("book", 6, 4)):
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=s).astype(np.float32), np.zeros(s[1], np.float32)) for s in ((obs, 5), (5, axes))]
    policy = PolicyWeights(
        layers, np.full(axes, -1, np.float32), np.zeros(obs, np.float32), np.full(obs, 100, np.float32)
    )
    market = {"name": name, "nt": 4, **({"book_size": 200} if name == "book" else {})}
    batch = rollout(build({"market": market}), policy, 1, 1, count=3, threads=1)
    print(batch.inventory.tolist(), batch.reward.sum().round(6), batch.action.sum().round(4))
for steps in (8, 9):
    config = build({"market": {"name": "avellaneda-stoikov", "nt": steps}, "reward": {"utility": "entropic"}})
    batch = rollout(config, fixed(0.4, 0.5), 1, 1, count=9, threads=1)
    print(batch.inventory.tolist(), batch.reward.sum().round(6), batch.observation.sum().round(4))
"""


def test_plain_python_plays_the_same() -> None:
    """With NUMBA_DISABLE_JIT, where a debugger works, the loop, the vectors and the records are Python's."""
    printed = [
        subprocess.run(
            [sys.executable, "-c", PLAIN], env=os.environ | more, capture_output=True, text=True, check=True
        ).stdout
        for more in ({}, {"NUMBA_DISABLE_JIT": "1"})
    ]
    assert printed[0] == printed[1] and printed[0].count("\n") == 4


@pytest.mark.parametrize("emptying_step", ["kept", "discarded"])
def test_an_agent_plays_the_same_on_any_threads_and_in_any_calls(
    emptying_step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trajectories of unequal length, some at once, their rows moved together afterwards."""
    config = build({"market": {**EMPTYING, "emptying_step": emptying_step}})
    agent = fixed(-7.0, 50.0, 0.0, 1.0)  # withdraws what its side holds
    whole = rollout(config, agent, 3, 1, count=150, threads=1).validate()
    assert 10 < whole.terminated.sum() < 150 and len(set(whole.lengths)) > 5
    for n in (0, 77, 149):
        one, rows = rollout(config, agent, 3, 1, first=n, count=1), slice(*whole.offsets[n : n + 2])
        np.testing.assert_array_equal(one.cash, whole.cash[rows])
        np.testing.assert_array_equal(one.action, whole.action[rows])
    for steps in (1, 900, 10**9):
        monkeypatch.setattr(compiled, "_STEPS_A_CALL", steps)
        for threads in (1, 2, 5):
            again = rollout(config, agent, 3, 1, count=150, threads=threads)
            for column in fields(whole):
                np.testing.assert_array_equal(getattr(again, column.name), getattr(whole, column.name), column.name)
