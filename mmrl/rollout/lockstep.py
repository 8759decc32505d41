"""The rollout of a learned policy on the CPU: eight trajectories side by side, so that vectors are the policy of all.

It does what `mmrl.kernels.play.play` does, with the same random streams and to the last bit. Trajectories do not depend
on each other: a lane whose trajectory is over takes the next one that no thread has taken. Nothing of a market's law is
written here; its functions are put into one kernel, as they are for environments and for CUDA.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.account import DISCARDED, FLOWS, GOES_ON
from mmrl.kernels.instructions import LANES
from mmrl.kernels.jit import allocating, inlined, kernel, record_type, scalar_kernel
from mmrl.kernels.network import forward_beside, width_of
from mmrl.kernels.play import CLIP, Rows, deviations, record_account, record_end, record_step
from mmrl.kernels.prefetch import prefetch_to_write
from mmrl.kernels.random import seed_stream
from mmrl.kernels.reward import step_reward
from mmrl.kernels.sampling import Kind, add_skew, fade_of, normalised, outputs_of, sample_categorical
from mmrl.kernels.sampling_beside import normalise_beside, sample_beside
from mmrl.kernels.shares import next_few
from mmrl.kernels.turning import on_stack
from mmrl.rollout.law import Known
from mmrl.rollout.one_state import copy_of

pick: Any = None
reset: Any = None
observe: Any = None
act: Any = None
advance: Any = None
account: Any = None
split: Any = None
together: Any = None
"""Put in by `rollout_of`, for each market its own."""

WIDE = ("observation", "action")
fetch_wide: Any = prefetch_to_write([k for k, name in enumerate(Rows._fields) if name in WIDE])
fetch_rows: Any = prefetch_to_write([k for k, name in enumerate(Rows._fields) if name not in (*FLOWS, *WIDE)])
"""Ask for the lines in which a step is recorded: eight lanes write in more places than the first cache holds."""
A_LINE = 8
"""Steps that a line holds at least, of a column with one number a step."""

WORK = record_type(
    [
        ("number", np.int64, (LANES,)),  # -1: none has begun, the count of all: none is left
        ("step", np.int64, (LANES,)),
        ("rng", np.uint64, (4, LANES)),
        ("log_prob", np.float64, (LANES,)),
        ("layer", np.int64, (LANES,)),  # of a normal number, as `mmrl.kernels.random` draws it
        ("share", np.float64, (LANES,)),
        ("edges", np.float64, (2, LANES)),
    ]
)
"""Numbers, steps and random streams of the trajectories that are being played, a lane each, and what is drawn."""


class Lanes(NamedTuple):
    """How many trajectories are played at once, and memory of the loop."""

    lanes: int
    raw: np.ndarray  # float32 [obs, 8]
    hidden: np.ndarray  # float32 [3, width of the network's memory, 8]
    action: np.ndarray  # float32 [A, 8]
    quote: np.ndarray  # float64 [A, 8]
    std: np.ndarray  # float64 [A], standard deviations of a gaussian policy


@allocating
def lanes_of(maker, rows, lanes):  # type: ignore[no-untyped-def]
    """Memory for one call that plays so many trajectories at once."""
    obs, axes = rows.observation.shape[1], rows.action.shape[1]
    return Lanes(
        lanes,
        np.zeros((obs, LANES), np.float32),
        np.zeros((3, width_of(maker.sizes), LANES), np.float32),
        np.zeros((axes, LANES), np.float32),
        np.zeros((axes, LANES), np.float64),
        deviations(maker, axes),
    )


def play_together(p, states, maker, reward, rows, ends, draw, x):  # type: ignore[no-untyped-def]
    """Play trajectories of a shared draw until none is left."""
    work = on_stack(WORK)
    for lane in range(LANES):
        work.number[lane] = -1 if lane < x.lanes else draw.count
        seed_stream(work.rng[:, lane], draw.seed, draw.epoch, lane)  # all lanes draw, those without a trajectory too
    gaussian = maker.kind == Kind.GAUSSIAN
    outputs = outputs_of(maker)
    faded_at, fade = -1, 1.0
    playing = -1
    while playing != 0:
        row = forward_beside(maker.weights, maker.sizes, outputs, x.hidden)
        if gaussian:
            sample_beside(maker, x.std, x.hidden[row], work, x.action, x.quote)
        playing = max(playing, 0)
        for lane in range(LANES):
            n, t = work.number[lane], work.step[lane]
            if n == draw.count:  # no number was left
                continue
            soon = (lane + 1) % LANES
            coming = work.number[soon] * draw.steps + work.step[soon]  # without a trajectory it does not matter
            fetch_wide(rows, coming + A_LINE // 2)
            if coming % A_LINE == 0:
                fetch_rows(rows, coming + A_LINE)
            s, rng, raw, quote = pick(states, lane), work.rng[:, lane], x.raw[:, lane], x.quote[:, lane]
            ending = GOES_ON
            if n >= 0:
                at = np.uint64(n * draw.steps + t)
                before = account(p, s)
                record_account(rows, at, before)
                if t != faded_at:
                    faded_at, fade = t, fade_of(maker, 1.0 - t / draw.steps)
                for j in range(raw.shape[0]):
                    rows.observation[at, j] = x.hidden[2, j, lane]
                if gaussian:
                    log_prob = work.log_prob[lane]
                    for a in range(quote.shape[0]):
                        rows.action[at, a] = x.action[a, lane]
                else:
                    log_prob = sample_categorical(maker, x.hidden[row, :, lane], rng, rows.action[at], quote)
                add_skew(maker, before.inventory, fade, quote)
                act(p, s, quote)
                ending = advance(p, s, rng)
                if ending != DISCARDED:
                    after = account(p, s)
                    record_step(rows, at, log_prob, after)
                    rows.reward[at] = step_reward(reward, before, after)
                    t += 1
            begins = n < 0
            while True:
                if begins:
                    n, _ = next_few(draw.taken, draw.thread, draw.count, playing, 1, 1)
                    work.number[lane] = n
                    if n == draw.count:
                        break
                    playing += 1
                    t, ending = 0, GOES_ON
                    seed_stream(rng, draw.seed, draw.epoch, draw.first + n)
                    raw[:] = 0.0
                    reset(p, s, rng, draw.first + n)
                if ending != DISCARDED:
                    observe(p, s, raw)
                if ending == GOES_ON and t < draw.steps:
                    break
                for j in range(raw.shape[0]):
                    ends.observation[n, j] = normalised(raw[j], maker.mean[j], maker.std[j], CLIP)
                last = account(p, s)
                record_end(rows, ends, n, np.uint64(n * draw.steps + t), t, draw.steps, ending, reward, last)
                split(p, s, ends.split[n])
                playing -= 1
                begins = True
            work.step[lane] = t
        normalise_beside(x.raw, maker.mean, maker.std, x.raw.shape[0], x.hidden[0])


@inlined
def _move(column, to, first, length):  # type: ignore[no-untyped-def]
    if column.shape[0] > 0:
        for k in range(length):
            column[to + k] = column[first + k]


@inlined
def _move_wide(column, to, first, length):  # type: ignore[no-untyped-def]
    for k in range(length):
        for j in range(column.shape[1]):
            column[to + k, j] = column[first + k, j]


@kernel
def close_gaps(rows, starts, lengths):  # type: ignore[no-untyped-def]
    """Move the rows of trajectories, so many from these starts on, behind each other."""
    at = 0
    for n in range(lengths.shape[0]):
        first, length = starts[n], lengths[n]
        if at < first:
            _move_wide(rows.observation, at, first, length)
            _move_wide(rows.action, at, first, length)
            for column in (rows.inventory, rows.bought, rows.sold):
                _move(column, at, first, length)
            for column in (
                rows.reward, rows.time, rows.cash, rows.mid, rows.bid, rows.ask, rows.paid, rows.received,
                rows.revaluation,
            ):  # fmt: skip
                _move(column, at, first, length)
            _move(rows.log_prob, at, first, length)
        at += length


def rollout(p, states, lanes, maker, reward, rows, ends, draw):  # type: ignore[no-untyped-def]
    """Roll out trajectories of a shared draw under a learned policy until none is left, so many at once.

    `states` are the parts of the states of as many lanes, [lanes, ...] each but for what they have in common.
    """
    together(p, states, maker, reward, rows, ends, draw, lanes_of(maker, rows, lanes))


_compiled: dict[str, Any] = {}


def rollout_of(market: str, known: Known) -> Any:
    """`rollout` for a market, of which this is known, compiled once a process and kept on disk."""
    if market not in _compiled:
        names = {**globals(), **known.law._asdict(), "pick": copy_of(known.state, known.common)}
        inner = inlined(FunctionType(play_together.__code__, names, "play_together"))
        function = FunctionType(rollout.__code__, {**globals(), "together": inner}, "rollout")
        # by its name the kernel finds its own file in the cache
        function.__qualname__, function.__module__ = f"rollout_{market.replace('-', '_')}", __name__
        _compiled[market] = scalar_kernel(function)
    return _compiled[market]
