"""The tape of one book without end: alone, or with a maker who plays one episode after another in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.kernels.play import OBSERVATION_CLIP, decide, scratch
from mmrl.kernels.sampling import normalise
from mmrl.markets.contract import Messages
from mmrl.markets.order_flow.checks import MOST_UNDER_WAY
from mmrl.markets.order_flow.dynamics import act, begin_step, join, observe, renew, reset, run
from mmrl.markets.order_flow.maker import close, withdraw_all
from mmrl.markets.order_flow.recording import tick as tick
from mmrl.markets.order_flow.settings import MOST_QUOTES, MOST_REDRAWN, Settings
from mmrl.markets.order_flow.signals import fade, settle
from mmrl.markets.order_flow.spec import spec
from mmrl.markets.order_flow.state import (
    ACCOUNT,
    COUNT,
    EVENTS,
    INVENTORY,
    NEW,
    NEWEST,
    NOW,
    OLDEST,
    STEP,
    TAPED,
    TIMES,
    UNDER_WAY,
    memory,
    parameters,
)
from mmrl.markets.order_flow.tape import DIRECTION, KIND, LEVELS, ORDER, OWNER, PRICE, SIZE, TIME

NUMBERS = 400_000
"""Of a piece of the tape: some megabytes."""
FEWEST = 2_000
"""Messages that a piece has room for at least."""
MARGIN = 6 * MOST_QUOTES * MOST_UNDER_WAY + 4 * MOST_REDRAWN
"""Messages of decisions that may take effect, and of queues that may be drawn anew, before the next event."""
_CLIP = np.float32(OBSERVATION_CLIP)


class Room(NamedTuple):
    """Where the kernel puts what the maker saw and did last."""

    observation: np.ndarray  # float32 [1, obs]
    action: np.ndarray  # float32 [1, A]


@kernel
def start(p, s, rng):
    """A seeded book that has lived through the warm-up, and nothing on the tape."""
    reset(p, s, rng, 0)


@kernel
def alone(p, s, rng):
    """Let the market live until the next event could find no room on the tape."""
    while s.book.meta[TAPED] + s.book.meta[COUNT] + s.book.meta[COUNT + 1] + MARGIN < s.tape.shape[0]:
        run(p, s, rng, np.inf, np.int64(1))


@kernel
def with_maker(p, s, rng, maker, room, left):
    """The same with a maker; returns whether its episode has ended.

    `left` int64 [1] holds the events of others until its next decision, and 0 where it decides next. Numbers are drawn
    as in a rollout.
    """
    x = scratch(maker, room)
    while s.book.meta[TAPED] + s.book.meta[COUNT] + s.book.meta[COUNT + 1] + MARGIN < s.tape.shape[0]:
        if left[0] == 0:
            t = s.book.meta[STEP]
            if t == p.rules.steps:
                return True
            observe(p, s, x.raw)
            normalise(x.raw, maker.mean, maker.std, _CLIP, x.hidden, room.observation, 0)
            decide(join, p, s, maker, s.book.account[INVENTORY], t, p.rules.steps, rng, x, room.action[0])
            act(p, s, x.quote)
            begin_step(p, s, rng)
            left[0] = p.rules.events
        if run(p, s, rng, s.book.meta[STEP] * p.rules.interval, np.int64(1)) == 0:
            left[0] = 0
        else:
            left[0] -= 1
    return False


@kernel
def begin_anew(p, s, rng):
    """The maker ends its episode and begins one with nothing, in the same book; the clock begins at 0."""
    if p.rules.close_at_end:
        close(p, s)
    else:
        withdraw_all(p, s)
    renew(p, s, rng)
    settle(s)
    fade(s)
    for i in range(TIMES):
        s.book.times[i] = 0.0
    for i in range(ACCOUNT):
        s.book.account[i] = 0
    for i in (STEP, UNDER_WAY, NEW, EVENTS, OLDEST, NEWEST):
        s.book.meta[i] = 0


def kernels(with_a_maker: bool) -> tuple[Any, ...]:
    """The compiled functions that `messages` needs."""
    return (start, with_maker, begin_anew) if with_a_maker else (start, alone)


def messages(market: Settings, stream: np.ndarray, levels: int, maker: Any = None) -> Iterator[Messages]:
    """Messages without end, a piece at a time, from a random stream uint64 [4].

    `maker` (kernels.sampling.Maker) plays episodes of `nt` decisions; None leaves the market to the others.
    """
    width = LEVELS + 4 * levels
    p = parameters(market, tape=np.zeros((max(FEWEST, NUMBERS // width), width)))
    s = memory(p)
    start(p, s, stream)
    about = spec(market)
    room = Room(np.zeros((1, len(about.columns)), np.float32), np.zeros((1, len(about.axes)), np.float32))
    left, began = np.zeros(1, np.int64), 0.0
    meta, times = s.book["meta"], s.book["times"]
    while True:
        meta[TAPED], elapsed = 0, 0.0
        if maker is None:
            alone(p, s, stream)
        elif with_maker(p, s, stream, maker, room, left):
            elapsed = float(times[NOW])
            begin_anew(p, s, stream)
        count = int(meta[TAPED])
        if count > len(s.tape):
            raise RuntimeError(f"{count} messages on a tape of {len(s.tape)}")
        if count:
            yield _piece(s.tape[:count], began)
        elif elapsed == 0:  # all orders of a full book could be executed by the next event
            s = s._replace(tape=np.zeros((2 * len(s.tape), width)))
        began += elapsed


def _piece(tape: np.ndarray, began: float) -> Messages:
    """A part of the tape with times since its beginning."""
    whole = tape.astype(np.int64)
    return Messages(
        began + tape[:, TIME],
        *(whole[:, column] for column in (KIND, ORDER, SIZE, PRICE, DIRECTION, OWNER)),
        whole[:, LEVELS:],
    )
