"""The rollout loop, written once for every market: observe, normalise, act, reward, record.

A market gives five inlined functions of its parameters `p` and its state `s`:

    reset(p, s, rng, number)      its start for trajectory `number`
    observe(p, s, out)            the observation, raw, into float32 `out`, which holds the one before
    act(p, s, quote)              the maker's orders, in market units
    advance(p, s, rng)            the market's answer; returns GOES_ON, ENDED or DISCARDED
    account(p, s)                 an `Account`

and two that may be left out: `heuristic(p, s, rng, quote)`, the quotes of a simple maker of the market's own, or
`no_heuristic`; and `split(p, s, out)`, the parts of an episode's profit that the spec names, or `no_split`.
Trajectory n of a draw has the rows from n times the draw's steps on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmrl.kernels.account import DISCARDED, ENDED, GOES_ON
from mmrl.kernels.jit import allocating, inlined
from mmrl.kernels.network import forward, width_of
from mmrl.kernels.random import seed_stream
from mmrl.kernels.reward import final_reward, step_reward
from mmrl.kernels.sampling import Kind, fade_of, linear_quote, look_up, look_up_observed, normalise, sample
from mmrl.kernels.shares import FEW, next_few, shares_of

OBSERVATION_CLIP = 10.0
"""Bound of a normalised observation, on either side of 0."""
CLIP = np.float32(OBSERVATION_CLIP)


class Draw(NamedTuple):
    """Which trajectories: numbers first .. first + count - 1 of (seed, epoch), of at most `steps` steps."""

    seed: int
    epoch: int
    first: int
    count: int
    steps: int


class SharedDraw(NamedTuple):
    """A draw of which every thread takes what no other has taken."""

    seed: int
    epoch: int
    first: int
    count: int
    steps: int
    taken: np.ndarray  # int64, of `mmrl.kernels.shares.shares_of`
    thread: int


def shared(draw: Draw, threads: int = 1, together: int = 1, of: Sequence[int] | None = None) -> SharedDraw:
    """A draw of which none is taken, for the first of so many threads, that plays so many trajectories together; those
    threads have a share `of` it, all of them unless they are given."""
    return SharedDraw(*draw, shares_of(threads, draw.count, together, of), 0)


class Rows(NamedTuple):
    """What every step leaves behind, one row a step; account columns are as before the step, flows those of it.

    What follows from the others is left out: which step of its trajectory a row is, and the value.

    Where the flows (bought to revaluation) are arrays without rows, they are not recorded.
    """

    observation: np.ndarray  # float32 [rows, obs]
    action: np.ndarray  # float32 [rows, A]
    log_prob: np.ndarray  # float32 [rows]
    reward: np.ndarray  # float64 [rows], as all that follow but the shares
    time: np.ndarray
    cash: np.ndarray
    inventory: np.ndarray  # int32
    mid: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    bought: np.ndarray  # int32
    sold: np.ndarray  # int32
    paid: np.ndarray
    received: np.ndarray
    revaluation: np.ndarray


WHOLE = ("inventory", "bought", "sold")
"""Columns of whole numbers."""


class Ends(NamedTuple):
    """What every trajectory leaves behind, one entry each."""

    length: np.ndarray  # int64
    time: np.ndarray  # float64
    cash: np.ndarray  # float64
    inventory: np.ndarray  # int32
    mid: np.ndarray  # float64
    value: np.ndarray  # float64
    terminated: np.ndarray  # bool
    observation: np.ndarray  # float32 [N, obs]
    split: np.ndarray  # float64 [N, S], the parts of the profit that the market's spec names


class Scratch(NamedTuple):
    """Memory of the loop."""

    rng: np.ndarray  # uint64 [4]
    raw: np.ndarray  # float32 [obs]
    hidden: np.ndarray  # float32 [3, width of the network's memory]
    quote: np.ndarray  # float64 [A]
    std: np.ndarray  # float64 [A], standard deviations of a gaussian policy


@allocating
def deviations(maker, axes):
    """Standard deviations of a gaussian policy, float64 [axes]."""
    std = np.empty(axes, np.float64)
    for a in range(axes):
        std[a] = math.exp(np.float64(maker.log_std[a]))
    return std


@allocating
def scratch(maker, rows):
    """Memory for one call of `play`."""
    obs, axes = rows.observation.shape[1], rows.action.shape[1]
    return Scratch(
        np.empty(4, np.uint64),
        np.zeros(obs, np.float32),
        np.zeros((3, width_of(maker.sizes)), np.float32),
        np.zeros(axes, np.float64),
        deviations(maker, axes),
    )


@inlined
def no_heuristic(p, s, rng, quote):
    """For a market without a simple maker of its own."""


@inlined
def no_split(p, s, out):
    """For a market that splits its profit no further."""


@inlined
def decide(heuristic, p, s, maker, inventory, t, steps, rng, x, action):
    """The maker's quote of step t of `steps`, from the normalised observation in x.hidden; returns its log-probability.

    It fills the action, and the orders in market units in x.quote.
    """
    row, fade = 0, 1.0
    if maker.kind <= Kind.CATEGORICAL:
        row = forward(maker.weights, maker.sizes, x.hidden)
        fade = fade_of(maker, 1.0 - t / steps)
    outputs = x.hidden[row]
    return choose(heuristic, p, s, maker, x.std, outputs, fade, inventory, t, steps, rng, x.raw, action, x.quote)


@inlined
def choose(heuristic, p, s, maker, std, outputs, fade, inventory, t, steps, rng, raw, action, quote):
    """`decide` where the outputs of the policy network, if the maker has one, are known; fills action and quote."""
    if maker.kind <= Kind.CATEGORICAL:
        return sample(maker, std, outputs, inventory, fade, rng, action, quote)
    if maker.kind == Kind.TABLE:
        look_up(maker.table, t, steps, inventory, quote)
    elif maker.kind == Kind.OBSERVED:
        look_up_observed(maker, t, steps, raw, quote)
    elif maker.kind == Kind.HEURISTIC:
        heuristic(p, s, rng, quote)
    else:
        linear_quote(maker.linear, t, steps, inventory, quote)
    for a in range(quote.shape[0]):
        action[a] = quote[a]
    return 0.0


@inlined
def record_account(rows, at, account):
    rows.time[at] = account.time
    rows.cash[at] = account.cash
    rows.inventory[at] = account.inventory
    rows.mid[at] = account.mid


@inlined
def record_step(rows, at, log_prob, after):
    rows.log_prob[at] = log_prob
    record_quotes(rows, at, after)
    if rows.revaluation.shape[0] > 0:
        record_flows(rows, at, after)


@inlined
def record_quotes(rows, at, after):
    rows.bid[at] = after.bid
    rows.ask[at] = after.ask


@inlined
def record_flows(rows, at, after):
    rows.bought[at] = after.bought
    rows.sold[at] = after.sold
    rows.paid[at] = after.paid
    rows.received[at] = after.received
    rows.revaluation[at] = after.revaluation


@inlined
def record_end(rows, ends, n, at, length, steps, ending, reward, account):
    """Note the end of trajectory n, whose rows end before `at`, and add the final reward to its last one."""
    ends.length[n] = length
    ends.time[n] = account.time
    ends.cash[n] = account.cash
    ends.inventory[n] = account.inventory
    ends.mid[n] = account.mid
    ends.value[n] = account.value
    ends.terminated[n] = ending != GOES_ON
    if length > 0:
        # a market that terminates in the very last step does not end the episode before its time
        rows.reward[at - np.uint64(1)] += final_reward(reward, account, ending != GOES_ON and length < steps)


@inlined
def play_one(reset, observe, act, advance, account, heuristic, split, p, s, maker, reward, rows, ends, draw, n, x):
    """Roll out trajectory n of `draw`."""
    at = np.uint64(n * draw.steps)  # unsigned, so that no index is tested for being negative
    seed_stream(x.rng, draw.seed, draw.epoch, draw.first + n)
    x.raw[:] = 0.0
    reset(p, s, x.rng, draw.first + n)
    before = account(p, s)
    ending = GOES_ON
    t = 0
    while True:
        observe(p, s, x.raw)
        if t == draw.steps or ending == ENDED:
            break
        normalise(x.raw, maker.mean, maker.std, CLIP, x.hidden, rows.observation, at)
        record_account(rows, at, before)
        log_prob = decide(heuristic, p, s, maker, before.inventory, t, draw.steps, x.rng, x, rows.action[at])
        act(p, s, x.quote)
        ending = advance(p, s, x.rng)
        if ending == DISCARDED:
            break
        after = account(p, s)
        record_step(rows, at, log_prob, after)
        rows.reward[at] = step_reward(reward, before, after)
        before = after
        at += np.uint64(1)
        t += 1
    normalise(x.raw, maker.mean, maker.std, CLIP, x.hidden, ends.observation, n)
    last = account(p, s)
    record_end(rows, ends, n, at, t, draw.steps, ending, reward, last)
    split(p, s, ends.split[n])


@inlined
def play(reset, observe, act, advance, account, heuristic, split, p, s, maker, reward, rows, ends, draw, x):
    """Roll out trajectories of a `SharedDraw` until none is left."""
    n, end = next_few(draw.taken, draw.thread, draw.count, 0, 1, FEW)
    while n < draw.count:
        play_one(reset, observe, act, advance, account, heuristic, split, p, s, maker, reward, rows, ends, draw, n, x)
        n += 1
        if n == end:
            n, end = next_few(draw.taken, draw.thread, draw.count, 0, 1, FEW)
