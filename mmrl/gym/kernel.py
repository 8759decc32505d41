"""One step of many copies of a market, compiled for each market.

It does in `mmrl.kernels.play`'s order what that loop does: observe, act, advance, account, reward, with the same random
stream, so that the same actions give the same trajectories to the last bit.
"""

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.account import DISCARDED, ENDED, GOES_ON
from mmrl.kernels.jit import called, kernel
from mmrl.kernels.prefetch import prefetch_of
from mmrl.kernels.random import seed_stream
from mmrl.kernels.reward import final_reward, step_reward
from mmrl.kernels.shares import (
    CLOSED,
    PATIENCE,
    add_at_once,
    begin,
    end_of,
    next_of,
    playing_of,
    put_at_once,
    read_at_once,
    threads_of,
    wait_for_helpers,
)
from mmrl.rollout.one_state import copy_of

pick: Any = None
reset: Any = None
observe: Any = None
act: Any = None
advance: Any = None
account: Any = None
fetch: Any = None
moves: Any = None
"""Put in by `mover`, for each market its own."""

IDLE, STEP, RESET = range(3)
"""What a copy is told to do."""
NEXT_STEP, SAME_STEP, DISABLED = range(3)
"""When an ended copy begins anew, as in gymnasium."""
MARKET, LINEAR, CHOICES = range(3)
"""What an action is: market units, units of `centre + scale * action + skew * inventory`, or places in the grids."""

BUNCH = 16
"""Copies that a thread takes at once."""


class Copies(NamedTuple):
    """What stands of N copies between two calls."""

    rng: np.ndarray  # uint64 [N, 4]
    raw: np.ndarray  # float32 [N, obs], the observation
    clock: np.ndarray  # int64 [N], steps done
    over: np.ndarray  # bool [N], ended and not begun anew
    seed: np.ndarray  # int64 [N]
    number: np.ndarray  # int64 [N], of the trajectory
    stride: np.ndarray  # int64 [N], to the next trajectory of a copy


class Meaning(NamedTuple):
    """What the numbers of an action mean to the market; A axes."""

    units: int
    scale: np.ndarray  # float64 [A, K], (centre, scale), or the grid
    skew: np.ndarray  # float64 [A]
    fading: float


class Terms(NamedTuple):
    """What holds for all copies."""

    reward: Any
    meaning: Meaning
    steps: int
    ends: bool
    """Whether running out of time terminates; else it truncates."""
    autoreset: int


class Orders(NamedTuple):
    """What each copy is told, and its action [N, A]; `quote` [N, A] is where the action in market units is noted."""

    told: np.ndarray  # int64 [N]
    action: np.ndarray  # float64 [N, A]
    quote: np.ndarray  # float64 [N, A]


class Outcome(NamedTuple):
    """What a call leaves behind, one entry a copy; `last_...` are those of an episode that ended in SAME_STEP."""

    reward: np.ndarray  # float64
    terminated: np.ndarray  # bool
    truncated: np.ndarray  # bool
    wealth: np.ndarray  # float64
    inventory: np.ndarray  # int64
    mid: np.ndarray  # float64
    last_raw: np.ndarray  # float32 [N, obs]
    last_wealth: np.ndarray
    last_inventory: np.ndarray
    last_mid: np.ndarray


def move(p, parts, x, terms, orders, out, counters, thread):
    """Let copies do what they are told: those of the thread's share, then what others have not yet taken of theirs."""
    meaning, reward, steps = terms.meaning, terms.reward, terms.steps
    threads, copies = threads_of(counters), x.rng.shape[0]
    for share in range(threads):
        whose = (thread + share) % threads
        end = end_of(whose, threads, copies)
        while True:
            first = add_at_once(counters, next_of(whose), BUNCH)
            last = min(first + BUNCH, end)
            if first >= last:
                break
            for i in range(first, last):
                if i + 1 < last:
                    fetch(parts, i + 1)
                s = pick(parts, i)
                rng, raw, mine = x.rng[i], x.raw[i], orders.quote[i]
                doing = orders.told[i]
                out.reward[i] = 0.0
                out.terminated[i] = out.truncated[i] = False
                if doing == STEP and terms.autoreset == NEXT_STEP and x.over[i]:
                    doing = RESET
                    x.number[i] += x.stride[i]
                while doing != IDLE:
                    stepped = doing == STEP
                    ending = GOES_ON
                    before = account(p, s)
                    if stepped:
                        t = x.clock[i]
                        left = 1.0 - t / steps
                        fade = 1.0 if meaning.fading == 0.0 else math.tanh(left / meaning.fading)
                        for a in range(mine.shape[0]):
                            given = np.float64(orders.action[i, a])
                            if meaning.units == MARKET:
                                mine[a] = given
                                continue
                            if meaning.units == LINEAR:
                                mine[a] = meaning.scale[a, 0] + meaning.scale[a, 1] * given
                            else:
                                mine[a] = meaning.scale[a, np.int64(given)]
                            if meaning.skew[a] != 0.0:
                                mine[a] += meaning.skew[a] * fade * before.inventory
                        act(p, s, mine)
                        ending = advance(p, s, rng)
                        if ending != DISCARDED:
                            x.clock[i] += 1
                    else:
                        seed_stream(rng, x.seed[i], 0, x.number[i])
                        raw[:] = 0.0
                        x.clock[i] = 0
                        reset(p, s, rng, x.number[i])
                    after = account(p, s)
                    if ending != DISCARDED:
                        observe(p, s, raw)
                    doing = IDLE
                    x.over[i] = False
                    if stepped:
                        if ending != DISCARDED:
                            out.reward[i] += step_reward(reward, before, after)
                        # a market that terminates in the very last step does not end the episode before its time
                        early, late = ending != GOES_ON and x.clock[i] < steps, x.clock[i] == steps
                        x.over[i] = early or late
                        if x.over[i]:
                            out.reward[i] += final_reward(reward, after, early)
                            out.terminated[i] = early or terms.ends or ending == ENDED
                            out.truncated[i] = not out.terminated[i]
                            if terms.autoreset == SAME_STEP:
                                for k in range(raw.shape[0]):
                                    out.last_raw[i, k] = raw[k]
                                out.last_wealth[i], out.last_inventory[i] = after.value, after.inventory
                                out.last_mid[i] = after.mid
                                x.number[i] += x.stride[i]
                                doing = RESET
                    out.wealth[i], out.inventory[i], out.mid[i] = after.value, after.inventory, after.mid


def entry(p, parts, x, terms, orders, out, counters, thread):
    """`move`, as Python calls it. Thread 0 begins, plays and waits for the others, all in one call, so that no signal
    comes between. Another one looks for copies to take, plays, and looks again, until it has looked long in vain."""
    helps, looks = thread > 0, 0
    end = end_of(thread, threads_of(counters), x.rng.shape[0])
    while looks < (PATIENCE if helps else 1) and not (helps and read_at_once(counters, CLOSED) != 0):
        looks += 1
        if not helps:
            wait_for_helpers(counters)  # of a call that an error has ended
            begin(counters, x.rng.shape[0])
        elif read_at_once(counters, next_of(thread)) < end:
            put_at_once(counters, playing_of(thread), 1)
            looks = 0
        else:
            continue
        moves(p, parts, x, terms, orders, out, counters, thread)  # the one place, so that it becomes part of the loop
        if helps:
            put_at_once(counters, playing_of(thread), 0)
        else:
            wait_for_helpers(counters)


_compiled: dict[str, Any] = {}


def mover(market: str, law: Any, state: Any) -> Callable[..., Any]:
    """`move` for a market with the functions of its `law`, compiled once a process.

    `state` is one state of the market. What is compiled is kept on disk as kernels are; numba
    compiles anew where this file or those of `COMPILED` have changed, so nothing that shapes it stands elsewhere.
    """
    if market not in _compiled:
        names = {**globals(), **law._asdict(), "pick": copy_of(state)}
        names["fetch"] = prefetch_of([state._fields.index(name) for name in getattr(state, "used_from_start", ())])
        # called, so that arrays of a copy are not counted: threads would take the counts from each other
        inner = called(FunctionType(move.__code__, names, "move"))
        function = FunctionType(entry.__code__, {**globals(), "moves": inner}, "entry")
        # by its name the kernel finds its own file in the cache
        function.__qualname__, function.__module__ = f"move_{market.replace('-', '_')}", __name__
        _compiled[market] = kernel(function)
    return _compiled[market]
