"""The compiled engine: rollouts on the CPU by numba kernels, parallel over ranges of trajectories.

Every trajectory has its own random stream from (seed, epoch, index), so the number of threads changes nothing.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from mmrl.kernels.jit import must_compile
from mmrl.kernels.play import Draw, Ends, Rows
from mmrl.markets.contract import market_of, spec_of
from mmrl.rollout.makers import maker_of
from mmrl.rollout.quoters import Quoter, fixed, learned
from mmrl.rollout.rewards import reward_of
from mmrl.rollout.threads import each, thread_count
from mmrl.rollout.trajectories import FLOWS, Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config

_CHUNKS_PER_THREAD = 4
_STAGGER = 24  # rows, some cache lines in every column
_INTEGERS = ("step", "inventory", "bought", "sold")


class Buffers:
    """Arrays that rollouts write into again and again: fresh memory costs more than the steps themselves.

    Without `flows`, which learning does not read and which cost some percent of the time, their columns stay empty.
    """

    def __init__(self, flows: bool = True) -> None:
        self.flows = flows
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """The array of that name, made anew when shape or dtype have changed; its contents are arbitrary."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array

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
    parameters = market_of(config).dynamics.parameters(config.market)
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
    spec, kernel = spec_of(config), market_of(config).kernel
    obs, steps, count = len(spec.columns), draw.steps, draw.count
    maker = maker_of(config, learned(quoter) if isinstance(quoter, PolicyWeights) else quoter)
    reward = reward_of(config)
    rows = (buffers or Buffers()).rows(count * steps, obs, len(spec.axes))
    ends = room_for_ends(count, obs, len(spec.split))

    def part(a: int, b: int) -> int:
        mine = Rows(*(column[a * steps : b * steps] for column in rows))
        here = draw._replace(first=draw.first + a, count=b - a)
        return int(kernel(parameters, maker, reward, mine, Ends(*(column[a:b] for column in ends)), here))

    size = max(1, math.ceil(count / (workers * _CHUNKS_PER_THREAD)))
    spans = [(a, min(a + size, count)) for a in range(0, count, size)]
    if workers > 1 and len(spans) > 1:
        prepare(config)
    written = each(lambda k: part(*spans[k]), len(spans), workers)
    if sum(written) < count * steps:
        pieces = [slice(a * steps, a * steps + n) for (a, _), n in zip(spans, written, strict=True)]
        rows = Rows(*(np.concatenate([column[piece] for piece in pieces]) for column in rows))
    columns = rows._asdict()
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


def compile_needed(config: Config) -> bool:
    """Whether the market's kernel is neither in memory nor in the cache on disk, so that it must be compiled."""
    return must_compile(market_of(config).kernel)


def prepare(config: Config) -> float:
    """Compile the market's kernel, or load it from the cache; returns the seconds it took."""
    if market_of(config).kernel.signatures:
        return 0.0
    began = time.perf_counter()
    axes = len(spec_of(config).axes)
    tiny = config.model_copy(update={"market": config.market.model_copy(update={"nt": 1})})
    rollout(tiny, fixed(*(0.0,) * axes), 0, 0, count=1, threads=1)
    return time.perf_counter() - began
