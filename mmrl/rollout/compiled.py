"""The compiled engine: rollouts on the CPU by numba kernels, parallel over ranges of trajectories.

Every trajectory has its own random stream from (seed, epoch, index), so the number of threads changes nothing.
"""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.kernels import network
from mmrl.kernels import reward as utilities
from mmrl.markets.avellaneda_stoikov import dynamics as avellaneda_stoikov
from mmrl.markets.book import dynamics as diffusive
from mmrl.rollout import kernels
from mmrl.rollout.quoters import CATEGORICAL, FIXED, GAUSSIAN, NAIVE, TABLE, Quoter, learned
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights

_EXTRAS = {"state": 0, "inventory": 1, "full": 2}
_CHUNKS_PER_THREAD = 4


def observation_size(config: Any) -> int:
    """Columns of an observation: book 4 n_obs, time left, then inventory or (inventory, S - S_0, W); game 2."""
    if config.market.name != "book":
        return 2
    return 4 * config.market.n_obs + 1 + (0, 1, 3)[_EXTRAS[config.market.observation]]


def action_size(config: Any) -> int:
    """Action dimensions: book (n_b, delta_b, n_a, delta_a), game (delta_b, delta_a)."""
    return 4 if config.market.name == "book" else 2


def reward_vector(config: Any) -> np.ndarray:
    """Coefficients float64[16] of the reward, in the order of `kernels.W_*`."""
    market, reward = config.market, config.reward
    book, rewarded = market.name == "book", reward.step_kind != "none"  # without it the bonuses go too
    total = market.nt * market.dt if book else market.horizon
    midprice = market.midprice if book else market.as_midprice
    return np.array(
        [
            1.0 / (midprice * market.max_dw) if reward.step_kind == "wealth" else 0.0,
            reward.step_kind == "pnl",
            reward.add_inventory and rewarded,
            10.0 / total,
            1.0 / total if reward.add_time and rewarded else 0.0,
            reward.inventory_penalty,
            {"none": 0, "value": 1, "cara": 2}[reward.final_kind],
            reward.risk_aversion,
            reward.cara_alpha,
            reward.always_final,
            utilities.CODES[reward.utility],
            reward.risk_aversion if book else market.gamma,
            (market.volatility if book else market.sigma) ** 2,
            reward.damping,
            reward.size_penalty,
            reward.final_penalty,
        ],
        np.float64,
    )


def _actions(config: Any) -> tuple[np.ndarray, np.ndarray]:
    """Choices per action dimension int64[A], and (centre, scale) or the grid per dimension, float64[A, K]."""
    policy, book = config.policy, config.market.name == "book"
    if policy.kind == "gaussian":
        size, delta = [policy.size_centre, policy.size_scale], [policy.delta_centre, policy.delta_scale]
        rows = [size, delta] * 2 if book else [list(avellaneda_stoikov.quote_scale(config.market, policy))] * 2
    else:
        grid = [float(x) for x in policy.delta_grid]
        rows = [[float(x) for x in policy.size_grid], grid] * 2 if book else [grid] * 2
    scale = np.zeros((len(rows), max(map(len, rows))))
    for i, row in enumerate(rows):
        scale[i, : len(row)] = row
    return np.array([len(row) for row in rows], np.int64), scale


def _brain(config: Any, quoter: Quoter) -> tuple[Any, ...]:
    """Kernel arguments (kind, deterministic, weights, sizes, log_std, choices, scale, mean, std, constant)."""
    obs, width = observation_size(config), action_size(config)
    choices, scale = _actions(config)
    flat, sizes = np.zeros(8, np.float32), np.array([obs], np.int64)
    head, mean, std = np.zeros(width, np.float32), np.zeros(obs, np.float32), np.ones(obs, np.float32)
    constant = np.zeros(width)
    if quoter.kind == "learned":
        weights = quoter.weights
        if weights is None:
            raise ValueError("a learned quoter needs its weights")
        if weights.layers[0][0].shape[0] != obs:
            raise ValueError(f"the policy takes {weights.layers[0][0].shape[0]} inputs, this market shows {obs}")
        flat, sizes = network.pack(weights)
        mean, std = (np.ascontiguousarray(x, np.float32) for x in (weights.obs_mean, weights.obs_std))
        if config.policy.kind == "gaussian":
            head = np.ascontiguousarray(weights.log_std, np.float32)
        kind = GAUSSIAN if config.policy.kind == "gaussian" else CATEGORICAL
        outputs = weights.layers[-1][1].size
        wanted = width if kind == GAUSSIAN else int(choices.sum())
        if outputs != wanted or (kind == GAUSSIAN and head.size != width):
            raise ValueError(f"the policy has {outputs} outputs, its actions need {wanted}")
    else:
        kind = {"naive": NAIVE, "fixed": FIXED, "table": TABLE}[quoter.kind]
        if kind == FIXED:
            constant = np.array(quoter.constant, np.float64)
            if constant.size != width:
                raise ValueError(f"a fixed quoter needs {width} numbers, not {constant.size}")
        if kind == NAIVE and config.market.name != "book":
            raise ValueError(f"the {quoter.kind} quoter is not for the market {config.market.name!r}")
    return kind, int(quoter.deterministic), flat, sizes, head, choices, scale, mean, std, constant


def _table(quoter: Quoter, rows: int | None, width: int) -> np.ndarray:
    """The quoter's table, checked; without one a table that is never read."""
    if quoter.table is None:
        return np.zeros((1, 1, width))
    shape = quoter.table.shape
    if len(shape) != 3 or shape[0] != (rows or shape[0]) or 0 in shape or shape[1] % 2 == 0 or shape[2] != width:
        raise ValueError(f"a table must be [{rows or 'rows'}, 2 Q + 1, {width}], not {list(shape)}")
    return quoter.table


class Buffers:
    """Arrays that rollouts write into again and again: fresh memory costs more than the steps themselves."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """The array of that name, made anew when shape or dtype have changed; its contents are arbitrary."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array


def thread_count(threads: int) -> int:
    """Threads to use: as asked, or all cores this process may run on."""
    if threads > 0:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rollout(
    config: Any,
    quoter: Quoter | PolicyWeights,
    seed: int,
    epoch: int,
    first: int = 0,
    count: int | None = None,
    threads: int | None = None,
    buffers: Buffers | None = None,
    changes: np.ndarray | None = None,
    every: int = 1,
) -> Trajectories:
    """Simulate trajectories first .. first + count - 1 of (seed, epoch); count defaults to training.nb.

    Non-learned quoters record their action in market units and log-probability 0. With `buffers` the arrays of
    the batch are overwritten by the next rollout into the same buffers. `changes` int32 [M, 4] takes the book of a
    single trajectory, see `mmrl.rollout.recording`.
    """
    if isinstance(quoter, PolicyWeights):
        quoter = learned(quoter)
    count = config.training.nb if count is None else count
    workers = thread_count(config.run.threads if threads is None else threads)
    book, nt = config.market.name == "book", config.market.nt
    obs, width = observation_size(config), action_size(config)
    rows = count * nt
    buffers = buffers or Buffers()
    flat = {
        "observation": buffers.array("observation", (rows, obs), np.float32),
        "action": buffers.array("action", (rows, width), np.float32),
        "log_prob": buffers.array("log_prob", (rows,), np.float32),
    }
    # One row more than needed: a part of such an array is never contiguous, so that kernels know one kind only.
    columns = {
        "ints": buffers.array("ints", (2, rows + 1), np.int32),
        "money": buffers.array("money", (6, rows + 1), np.float64),
    }
    ends = (
        np.empty((count, 3), np.float64),
        np.empty(count, np.int32),
        np.empty(count, np.bool_),
        np.empty((count, obs), np.float32),
    )
    lengths = np.empty(count, np.int64)
    brain, reward = _brain(config, quoter), reward_vector(config)
    if book:
        rules, numbers = diffusive.parameters(config.market)
        extras, lots = _EXTRAS[config.market.observation], diffusive.lot_capacity(rules)
        head = (rules, numbers, reward, *brain, _table(quoter, None, 4), config.market.n_obs, extras, lots)
        head += (every, np.empty((0, 4), np.int32) if changes is None else changes)
        kernel = kernels.book_rollout
    else:
        head = (avellaneda_stoikov.parameters(config.market), reward, *brain, _table(quoter, nt, 2))
        kernel = kernels.game_rollout

    def part(a: int, b: int) -> int:
        tail = [lengths[a:b], columns["ints"][:, a * nt : b * nt], *(x[a * nt : b * nt] for x in flat.values())]
        tail += [columns["money"][:, a * nt : b * nt], *(x[a:b] for x in ends)]
        return kernel(*head, seed, epoch, first + a, b - a, *tail)

    size = max(1, math.ceil(count / (workers * _CHUNKS_PER_THREAD)))
    starts = list(range(0, count, size))
    if workers == 1 or len(starts) == 1:
        written = [part(a, min(a + size, count)) for a in starts]
    else:
        prepare(config)
        with ThreadPoolExecutor(workers) as pool:
            written = list(pool.map(lambda a: part(a, min(a + size, count)), starts))
    if sum(written) < rows:
        keep = list(zip(starts, written, strict=True))
        flat = {name: np.concatenate([x[a * nt : a * nt + n] for a, n in keep]) for name, x in flat.items()}
        columns = {
            name: np.concatenate([x[:, a * nt : a * nt + n] for a, n in keep], axis=1) for name, x in columns.items()
        }
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    lived, final = int(offsets[-1]), ends[0]
    ints, money = columns["ints"][:, :lived], columns["money"][:, :lived]
    return Trajectories(
        offsets=offsets,
        step=ints[0],
        observation=flat["observation"],
        action=flat["action"],
        log_prob=flat["log_prob"],
        reward=money[kernels.REWARD],
        value=money[kernels.VALUE],
        inventory=ints[1],
        mid=money[kernels.MID],
        bid=money[kernels.BEST_BID],
        ask=money[kernels.BEST_ASK],
        wealth=money[kernels.WEALTH],
        final_value=final[:, 0].copy(),
        final_wealth=final[:, 1].copy(),
        final_inventory=ends[1],
        final_mid=final[:, 2].copy(),
        terminated=ends[2],
        last_observation=ends[3],
    )


def _kernel(config: Any) -> Any:
    return kernels.book_rollout if config.market.name == "book" else kernels.game_rollout


def compile_needed(config: Any) -> bool:
    """Whether the market's kernel is neither in memory nor in the cache on disk, so that it must be compiled."""
    kernel = _kernel(config)
    if kernel.signatures:
        return False
    cache, name = kernel.stats.cache_path, kernel.py_func.__name__
    return cache is None or not any(Path(cache).glob(f"kernels.{name}-*.nbi"))


def prepare(config: Any) -> float:
    """Compile the market's kernel, or load it from the cache; returns the seconds it took."""
    if _kernel(config).signatures:
        return 0.0
    began = time.perf_counter()
    from types import SimpleNamespace

    tiny = config.market.model_copy(update={"nt": 1}) if hasattr(config.market, "model_copy") else config.market
    stand_in = SimpleNamespace(
        market=tiny, reward=config.reward, policy=config.policy, training=config.training, run=config.run
    )
    rollout(stand_in, Quoter("fixed", constant=(0.0,) * action_size(config)), 0, 0, count=1, threads=1)
    return time.perf_counter() - began
