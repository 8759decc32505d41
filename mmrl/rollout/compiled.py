"""The compiled engine: rollouts on the CPU by numba kernels, parallel over ranges of trajectories.

Every trajectory has its own random stream from (seed, epoch, index), so the number of threads changes nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.jit import in_memory, must_compile
from mmrl.kernels.play import Draw, Ends, Rows, SharedDraw, shared
from mmrl.kernels.shares import FEW, are_left
from mmrl.markets.contract import market_of, spec_of
from mmrl.rollout.buffers import Buffers as Buffers
from mmrl.rollout.buffers import room_for_ends
from mmrl.rollout.law import memory_of, parameters_of, remembered, sharing
from mmrl.rollout.lockstep import close_gaps, rollout_of
from mmrl.rollout.makers import maker_of, unlearned
from mmrl.rollout.quoters import Quoter, fixed, learned
from mmrl.rollout.rewards import reward_of
from mmrl.rollout.threads import each, thread_count
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.memory import states_at_once
from mmrl.settings.model import Config

_STEPS_A_CALL = 4_000_000
"""Of a compiled call, about: no signal is answered meanwhile."""


class _Game(NamedTuple):
    """What kernels take first."""

    parameters: Any
    maker: Any
    reward: Any


_Part = tuple[Rows, Ends, SharedDraw]
_Plays = Callable[[_Part, int], None]
"""Play a part of a draw, as one of the threads."""


class _Simulation(NamedTuple):
    """The trajectories of one quoter: where they are written, who begins with them, and what plays them."""

    rows: Rows
    ends: Ends
    threads: Sequence[int]
    learns: bool
    at_once: int
    play: _Plays


def rollout(
    config: Config,
    quoter: Quoter | PolicyWeights,
    seed: int,
    epoch: int,
    first: int = 0,
    count: int | None = None,
    threads: int | None = None,
    buffers: Buffers | None = None,
) -> Trajectories:
    """Simulate trajectories first .. first + count - 1 of (seed, epoch); count defaults to training.nb.

    Quoters that are not learned record their action in market units and log-probability 0. With `buffers` the arrays of
    the batch are overwritten by the next rollout into the same buffers.
    """
    own = None if buffers is None else [buffers]
    return rollouts(config, [quoter], seed, epoch, first, count, threads, own)[0]


def rollouts(
    config: Config,
    quoters: Sequence[Quoter | PolicyWeights],
    seed: int,
    epoch: int,
    first: int = 0,
    count: int | None = None,
    threads: int | None = None,
    buffers: Sequence[Buffers] | None = None,
) -> list[Trajectories]:
    """What `rollout` gives under each of some quoters, into buffers of its own, if they are given; all at once, since
    to call the threads takes as long as a small rollout."""
    parameters = parameters_of(config.market)
    workers = thread_count(config.run.threads if threads is None else threads)
    draw = Draw(seed, epoch, first, config.training.nb if count is None else count, spec_of(config).steps)
    return _simulate(config, quoters, parameters, draw, workers, buffers)


def simulate(
    config: Config,
    quoter: Quoter | PolicyWeights,
    parameters: Any,
    draw: Draw,
    workers: int,
    buffers: Buffers | None = None,
) -> Trajectories:
    """Simulate the trajectories of `draw` under given parameters of the market's dynamics."""
    return _simulate(config, [quoter], parameters, draw, workers, None if buffers is None else [buffers])[0]


def _simulate(
    config: Config,
    quoters: Sequence[Quoter | PolicyWeights],
    parameters: Any,
    draw: Draw,
    workers: int,
    buffers: Sequence[Buffers] | None,
) -> list[Trajectories]:
    kept, buffers = buffers is not None, buffers or [Buffers() for _ in quoters]
    asked = [learned(quoter) if isinstance(quoter, PolicyWeights) else quoter for quoter in quoters]
    spec, sharing_it = spec_of(config), max(min(workers, draw.count * len(asked)), 1)
    most = math.ceil(draw.count / max(sharing_it // len(asked), 1))
    games = []
    for k, (quoter, own) in enumerate(zip(asked, buffers, strict=True)):
        game = _Game(parameters, maker_of(config, quoter), reward_of(config))
        rows = own.rows(draw.count * draw.steps, len(spec.columns), len(spec.axes))
        ends = room_for_ends(draw.count, len(spec.columns), len(spec.split))
        threads, learns = _beginning(k, len(asked), sharing_it), quoter.kind == "learned"
        played = _together(config, game, most, buffers[0]) if learns else (1, _one_by_one(config, game))
        games.append(_Simulation(rows, ends, threads, learns, *played))
    if workers > 1:
        prepare(config, {game.learns for game in games})
    at_once = max((game.at_once for game in games), default=1)
    # a call takes a while, in which no signal is answered
    for chunk in _chunks(draw, max(at_once * workers, math.ceil(_STEPS_A_CALL / draw.steps))):
        parts = [_part(chunk, game, draw, sharing_it) for game in games]
        each(partial(_in_turn, games, parts), sharing_it, workers)
    return [_batch(game, draw, kept) for game in games]


def _beginning(game: int, games: int, threads: int) -> list[int]:
    """Threads that begin with one of some games: each with one, none or all of them where threads are fewer."""
    return [thread for thread in range(threads) if thread * games // threads == game] or list(range(threads))


def _in_turn(games: Sequence[_Simulation], parts: Sequence[_Part], thread: int) -> None:
    """Play parts of all games as one of the threads, first of that which it begins with."""
    first = next(k for k, game in enumerate(games) if thread in game.threads)
    for k in range(first, first + len(games)):
        part = parts[k % len(games)]
        if are_left(part[2].taken):
            games[k % len(games)].play(part, thread)


def _batch(game: _Simulation, draw: Draw, kept: bool) -> Trajectories:
    """What was played, the rows of trajectories that ended early moved together; copies, unless they are `kept`."""
    rows, ends = game.rows, game.ends
    offsets = np.zeros(draw.count + 1, np.int64)
    np.cumsum(ends.length, out=offsets[1:])
    columns = rows._asdict()
    if (lived := int(offsets[-1])) < draw.count * draw.steps:
        close_gaps(rows, np.arange(draw.count) * draw.steps, ends.length)
        columns = {name: column[:lived] if kept else column[:lived].copy() for name, column in columns.items()}
    return Trajectories(
        offsets=offsets,
        **columns,
        final_time=ends.time,
        final_value=ends.value,
        final_cash=ends.cash,
        final_inventory=ends.inventory,
        final_mid=ends.mid,
        terminated=ends.terminated,
        last_observation=ends.observation,
        split=ends.split,
    )


def _one_by_one(config: Config, game: _Game) -> _Plays:
    """What plays a part of a draw, one trajectory after the other, by the market's own kernel."""
    kernel = market_of(config).kernel

    def play(part: _Part, thread: int) -> None:
        kernel(*game, *_of_thread(part, thread))

    return play


def _together(config: Config, game: _Game, most: int, buffers: Buffers) -> tuple[int, _Plays]:
    """How many trajectories, at most so many, the kernel for learned policies plays at once, and what plays a part of a
    draw by it; it takes its states from the buffers."""
    known = remembered(config, game.parameters)
    kernel, state, common = rollout_of(config.market.name, known), known.state, known.common
    lanes = min(states_at_once(known.size), most)
    free = buffers.states(state, lanes)

    def play(part: _Part, thread: int) -> None:
        try:
            states = sharing(free.pop(), state, common)
        except IndexError:
            states = memory_of(state, lanes, common)
        kernel(game.parameters, states, lanes, game.maker, game.reward, *_of_thread(part, thread))
        free.append(states)

    return lanes, play


def _chunks(draw: Draw, size: int) -> list[range]:
    """The trajectories of a draw, counted from 0, so many at a time."""
    return [range(a, min(a + size, draw.count)) for a in range(0, draw.count, max(size, 1))]


def _part(chunk: range, game: _Simulation, draw: Draw, threads: int) -> _Part:
    """Rows and ends of a game that belong to a chunk, and the draw of its trajectories alone."""
    together = 1 if game.learns else FEW
    if len(chunk) == draw.count:
        return game.rows, game.ends, shared(draw, threads, together, game.threads)
    a, b = chunk.start, chunk.stop
    rows = Rows(*(column[a * draw.steps : b * draw.steps] for column in game.rows))
    part = shared(draw._replace(first=draw.first + a, count=b - a), threads, together, game.threads)
    return rows, Ends(*(column[a:b] for column in game.ends)), part


def _of_thread(part: _Part, thread: int) -> _Part:
    """A part as one of the threads takes it."""
    rows, ends, draw = part
    return rows, ends, draw._replace(thread=thread)


def compile_needed(config: Config, learned: Collection[bool] = (True,)) -> bool:
    """Whether what rolls out learned policies (True), or others (False), is neither in memory nor on disk."""
    return any(must_compile(_kernel(config, learns)) for learns in learned)


def prepare(config: Config, learned: Collection[bool] = (True,)) -> float:
    """Compile what rolls out learned policies, or others, or load it from disk; returns the seconds it took."""
    began = time.perf_counter()
    for learns in learned:
        if not in_memory(_kernel(config, learns)):
            some: Any = unlearned(config) if learns else fixed(*(0.0,) * len(spec_of(config).axes))
            simulate(config, some, parameters_of(config.market), Draw(0, 0, 0, count=1, steps=1), workers=1)
    return time.perf_counter() - began


def _kernel(config: Config, learns: bool) -> Any:
    if not learns:
        return market_of(config).kernel
    return rollout_of(config.market.name, remembered(config, parameters_of(config.market)))
