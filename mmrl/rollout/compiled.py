"""The compiled engine: rollouts on the CPU by numba kernels, parallel over ranges of trajectories.

Every trajectory has its own random stream from (seed, epoch, index), so the number of threads changes nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmrl.kernels.jit import must_compile
from mmrl.kernels.play import Draw, Ends, Rows
from mmrl.markets.contract import market_of, spec_of
from mmrl.rollout.law import memory_of, parameters_of, remembered, shared_of, sharing, size_of
from mmrl.rollout.lockstep import Share, close_gaps, rollout_of
from mmrl.rollout.makers import maker_of, unlearned
from mmrl.rollout.quoters import Quoter, fixed, learned
from mmrl.rollout.rewards import reward_of
from mmrl.rollout.threads import each, thread_count
from mmrl.rollout.trajectories import FLOWS, Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.memory import states_at_once
from mmrl.settings.model import Config

_CHUNKS_PER_THREAD = 4
_STEPS_A_CALL = 4_000_000
"""Of a compiled call, about: no signal is answered meanwhile."""
_STAGGER = 24  # rows, some cache lines in every column
_INTEGERS = ("step", "inventory", "bought", "sold")


class Buffers:
    """Arrays that rollouts write into again and again: fresh memory costs more than the steps themselves.

    Without `flows`, which learning does not read and which cost some percent of the time, their columns stay empty.
    """

    def __init__(self, flows: bool = True) -> None:
        self.flows = flows
        self._arrays: dict[str, np.ndarray] = {}
        self._states: dict[Any, list[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """The array of that name, made anew when shape or dtype have changed; its contents are arbitrary."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array

    def states(self, state: Any) -> list[Any]:
        """Memory of states such as this one that nobody uses; who takes some brings it back."""
        parts = state if isinstance(state, tuple) else (state,)
        key = tuple((np.shape(part), np.asarray(part).dtype) for part in parts)
        if key not in self._states:
            self._states = {key: []}  # those of another size are used no more
        return self._states[key]

    def rows(self, count: int, obs: int, axes: int) -> Rows:
        """Room for so many steps.

        Large arrays begin at the same place of a memory page, so that a row of all of them would fall into the same few
        lines of the cache: each begins some lines later than the one before.
        """
        wide = {"observation": (obs,), "action": (axes,)}
        kinds: dict[str, Any] = dict.fromkeys(Rows._fields, np.float64) | dict.fromkeys(_INTEGERS, np.int32)
        kinds |= dict.fromkeys(("observation", "action", "log_prob"), np.float32)
        columns = {}
        for k, name in enumerate(Rows._fields):
            skipped, room = k * _STAGGER, count if self.flows or name not in FLOWS else 0
            columns[name] = self.array(name, (room + skipped, *wide.get(name, ())), kinds[name])[skipped:]
        return Rows(**columns)


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
    parameters = parameters_of(config.market)
    workers = thread_count(config.run.threads if threads is None else threads)
    draw = Draw(seed, epoch, first, config.training.nb if count is None else count, spec_of(config).steps)
    return simulate(config, quoter, parameters, draw, workers, buffers)


def simulate(
    config: Config,
    quoter: Quoter | PolicyWeights,
    parameters: Any,
    draw: Draw,
    workers: int,
    buffers: Buffers | None = None,
) -> Trajectories:
    """Simulate the trajectories of `draw` under given parameters of the market's dynamics."""
    spec = spec_of(config)
    obs, steps, count = len(spec.columns), draw.steps, draw.count
    quoter = learned(quoter) if isinstance(quoter, PolicyWeights) else quoter
    maker = maker_of(config, quoter)
    kept, buffers = buffers is not None, buffers or Buffers()
    rows = buffers.rows(count * steps, obs, len(spec.axes))
    ends = room_for_ends(count, obs, len(spec.split))
    game, learns = _Game(parameters, maker, reward_of(config)), quoter.kind == "learned"
    if workers > 1:
        prepare(config, (learns,))
    if learns:
        _together(config, game, rows, ends, draw, workers, buffers)
    else:
        _one_by_one(config, game, rows, ends, draw, workers)
    columns = rows._asdict()
    if (lived := int(ends.length.sum())) < count * steps:
        columns = {name: column[:lived] if kept else column[:lived].copy() for name, column in columns.items()}
    return Trajectories(
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(ends.length)]),
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


class _Game(NamedTuple):
    """What kernels take first."""

    parameters: Any
    maker: Any
    reward: Any


def _one_by_one(config: Config, game: _Game, rows: Rows, ends: Ends, draw: Draw, workers: int) -> None:
    """Fill rows and ends by the market's own kernel, a chunk of trajectories a call."""
    kernel = market_of(config).kernel
    chunks = _chunks(draw, math.ceil(draw.count / (workers * _CHUNKS_PER_THREAD)))
    each(lambda k: kernel(*game, *_part(chunks[k], rows, ends, draw)), len(chunks), workers)
    _close_gaps(rows, ends, draw, chunks)


def _together(config: Config, game: _Game, rows: Rows, ends: Ends, draw: Draw, workers: int, buffers: Buffers) -> None:
    """Fill rows and ends by the kernel for learned policies: all threads share a draw, with states from the buffers."""
    law, state = remembered(config, game.parameters)
    kernel, shared = rollout_of(config.market.name, law, state, game.parameters), shared_of(state, game.parameters)
    free, room = buffers.states(state), states_at_once(size_of(state))
    lanes = min(room, math.ceil(draw.count / workers))
    for chunk in _chunks(draw, max(lanes * workers, math.ceil(_STEPS_A_CALL / draw.steps))):
        part, share = _part(chunk, rows, ends, draw), Share(lanes, np.zeros(1, np.int64))

        def play(_: int, part: tuple[Rows, Ends, Draw] = part, share: Share = share) -> None:
            try:
                states = sharing(free.pop(), state, shared)
            except IndexError:
                states = memory_of(state, room, shared)
            kernel(game.parameters, states, share, game.maker, game.reward, *part)
            free.append(states)

        each(play, min(workers, len(chunk)), workers)
    _close_gaps(rows, ends, draw, _chunks(draw, 1))


def _close_gaps(rows: Rows, ends: Ends, draw: Draw, chunks: Sequence[range]) -> None:
    """Move the rows of each chunk, which begin where they would if all before had lived to the end, behind those of the
    one before."""
    if ends.length.sum() < draw.count * draw.steps:
        starts = np.array([chunk.start for chunk in chunks], np.int64)
        close_gaps(rows, starts * draw.steps, np.add.reduceat(ends.length, starts))


def _chunks(draw: Draw, size: int) -> list[range]:
    """The trajectories of a draw, counted from 0, so many at a time."""
    return [range(a, min(a + size, draw.count)) for a in range(0, draw.count, max(size, 1))]


def _part(chunk: range, rows: Rows, ends: Ends, draw: Draw) -> tuple[Rows, Ends, Draw]:
    """Rows and ends that belong to a chunk, and the draw of its trajectories alone."""
    a, b = chunk.start, chunk.stop
    mine = Rows(*(column[a * draw.steps : b * draw.steps] for column in rows))
    return mine, Ends(*(column[a:b] for column in ends)), draw._replace(first=draw.first + a, count=b - a)


def room_for_ends(count: int, obs: int, parts: int) -> Ends:
    return Ends(
        length=np.empty(count, np.int64),
        time=np.empty(count, np.float64),
        cash=np.empty(count, np.float64),
        inventory=np.empty(count, np.int32),
        mid=np.empty(count, np.float64),
        value=np.empty(count, np.float64),
        terminated=np.empty(count, np.bool_),
        observation=np.empty((count, obs), np.float32),
        split=np.empty((count, parts), np.float64),
    )


def compile_needed(config: Config, learned: Collection[bool] = (True,)) -> bool:
    """Whether what rolls out learned policies (True), or others (False), is neither in memory nor on disk."""
    return any(must_compile(_kernel(config, learns)) for learns in learned)


def prepare(config: Config, learned: Collection[bool] = (True,)) -> float:
    """Compile what rolls out learned policies, or others, or load it from disk; returns the seconds it took."""
    began = time.perf_counter()
    for learns in learned:
        if not _kernel(config, learns).signatures:
            some: Any = unlearned(config) if learns else fixed(*(0.0,) * len(spec_of(config).axes))
            simulate(config, some, parameters_of(config.market), Draw(0, 0, 0, count=1, steps=1), workers=1)
    return time.perf_counter() - began


def _kernel(config: Config, learns: bool) -> Any:
    if not learns:
        return market_of(config).kernel
    parameters = parameters_of(config.market)
    law, state = remembered(config, parameters)
    return rollout_of(config.market.name, law, state, parameters)
