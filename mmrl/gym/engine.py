"""N copies of a market, one step at a time, on the compiled law; needs no gymnasium."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.gym.kernel import (
    CHOICES,
    IDLE,
    LINEAR,
    MARKET,
    NEXT_STEP,
    RESET,
    STEP,
    Copies,
    Meaning,
    Orders,
    Outcome,
    Terms,
    mover,
)
from mmrl.kernels.jit import announced, must_compile
from mmrl.kernels.shares import counters_of
from mmrl.kernels.threads import Helpers
from mmrl.markets.contract import spec_of
from mmrl.rollout.law import law_of, memory_of, size_of
from mmrl.rollout.rewards import reward_of
from mmrl.rollout.streams import stream_seed
from mmrl.rollout.threads import thread_count
from mmrl.runs.machine import memory
from mmrl.settings.errors import ConfigError, brief, note
from mmrl.settings.model import Config, require_config

UNITS = ("scaled", "policy", "market", "choices")
REACH = 3.0
"""Units of a policy that an action of 1 is in `scaled`."""
LEAST_SHARE = 128
"""Copies of a thread, below which it costs more than it gains."""


class Engine:
    """N copies of a config's market. The arrays that `outcome` and `observation` hold are overwritten by each call."""

    def __init__(self, config: Config, count: int, units: str = "scaled", autoreset: int = NEXT_STEP) -> None:
        require_config(config, "an environment")
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise ConfigError(f"num_envs = {brief(count)} is not allowed: it must be a whole number >= 1")
        count = int(count)
        if units not in UNITS:
            raise ConfigError(f"action_units = {units!r} is not allowed: it must be one of {', '.join(UNITS)}")
        self.config, self.spec, self.count = config, spec_of(config), count
        law, self._parameters, state = law_of(config)
        self._refuse_too_many(count * size_of(state))
        self._memory = memory_of(state, count)
        move = mover(config.market.name, law, state)
        if must_compile(move):
            note(announced("the market's environment"))
        self.meaning = _meaning(config, units)
        ends = config.reward.time_limit == "ends"
        self._terms = Terms(reward_of(config), self.meaning, self.spec.steps, ends, autoreset)
        observed, axes = len(self.spec.columns), len(self.spec.axes)
        self.copies = Copies(
            rng=np.zeros((count, 4), np.uint64),
            raw=np.zeros((count, observed), np.float32),
            clock=np.zeros(count, np.int64),
            over=np.ones(count, np.bool_),
            seed=np.zeros(count, np.int64),
            number=np.zeros(count, np.int64),
            stride=np.ones(count, np.int64),
        )
        self.outcome = _room(count, observed)
        self._orders = Orders(np.zeros(count, np.int64), np.zeros((count, axes)), np.zeros((count, axes)))
        self.begun = np.zeros(count, np.bool_)
        """Which copies have begun a trajectory."""
        self._fresh = np.ones(count, np.bool_)  # which have begun none since their trajectories were chosen
        self.closed = False
        self._width = (count, axes)
        self._choices = np.array([len(axis.grid) for axis in self.spec.axes])
        self.threads = max(min(thread_count(config.run.threads), count // LEAST_SHARE), 1)
        counters = counters_of(self.threads, count)
        given = (self._parameters, self._memory, self.copies, self._terms, self._orders, self.outcome, counters)
        self._play = partial(move, *given)
        self._play(0)  # of copies that are told nothing: compiled or read, before other threads need it
        self._helpers = Helpers(self.threads - 1, self._play, counters) if self.threads > 1 else None

    def _refuse_too_many(self, size: int) -> None:
        free = memory()
        if size > 0.8 * free:
            remedy = f", or {self.spec.memory_remedy}" if self.spec.memory_remedy else ""
            raise ConfigError(
                f"num_envs = {self.count} needs {size / 1e9:.1f} GB for its markets, this machine has "
                f"{free / 1e9:.1f} GB: lower num_envs{remedy}"
            )

    @property
    def observation(self) -> npt.NDArray[np.float32]:
        """What the makers see now [N, obs], in the units of the spec's columns."""
        return self.copies.raw

    def seed(self, seed: int | Sequence[int], which: npt.NDArray[np.bool_] | None = None) -> None:
        """Choose the trajectories: of a number s copy i plays those of (s, i), (s, i + N), ...; of a list of numbers
        those of (s_i, 0), (s_i, 1), ... They are `rollout(config, quoter, stream_seed(s, "market"), 0)`'s.

        Of `which` copies only, the others go on with theirs.
        """
        alone = isinstance(seed, int | np.integer)
        seeds = [int(seed)] * self.count if alone else [int(each) for each in seed]  # type: ignore[union-attr,arg-type]
        if len(seeds) != self.count or min(seeds) < 0:
            raise ValueError(f"a seed is a number >= 0, or {self.count} of them, not {seed}")
        chosen = slice(None) if which is None else which
        drawn = {each: stream_seed(each, "market") for each in set(seeds)}
        self.copies.seed[chosen] = np.array([drawn[each] for each in seeds], np.int64)[chosen]
        self.copies.stride[chosen] = self.count if alone else 1
        self.copies.number[chosen] = np.arange(self.count)[chosen] if alone else 0
        self._fresh[chosen] = True

    def reset(self, which: npt.NDArray[np.bool_] | None = None) -> Outcome:
        """Begin the next trajectory of all copies, or of `which`; after `seed` the first one."""
        told = np.full(self.count, RESET, np.int64)
        if which is not None:
            told[~which] = IDLE
        begins = told == RESET
        again = begins & ~self._fresh
        self.copies.number[again] += self.copies.stride[again]
        self._fresh &= ~begins
        self.begun |= begins
        return self._call(told)

    def step(self, action: npt.NDArray[Any]) -> Outcome:
        """Let all copies act [N, A] and go on by a step."""
        given = numbers(action, self._width)
        if self.meaning.units == CHOICES and not (
            given.min() >= 0 and (given < self._choices).all() and (given == np.floor(given)).all()
        ):
            raise ValueError(
                f"actions must be whole numbers, places 0 <= place < {self._choices.tolist()} in the grids of the axes"
            )
        self._orders.action[:] = given
        return self._call(STEP)

    def _call(self, told: npt.NDArray[np.int64] | int) -> Outcome:
        self._orders.told[:] = told
        if self._helpers is None:
            self._play(0)
            return self.outcome
        self._helpers.wake()
        try:
            self._play(0)
        except BaseException:  # it did not come to wait for them
            self._helpers.wait()
            raise
        self._helpers.require_sound()
        return self.outcome

    def close(self) -> None:
        """End the threads."""
        self.closed = True
        if self._helpers is not None:
            self._helpers.close()


def numbers(action: Any, shape: tuple[int, ...] | None) -> npt.NDArray[np.float64]:
    """An action as float64 of this shape; ValueError unless it holds finite numbers."""
    try:
        given = np.asarray(action)
    except ValueError:  # lists of unequal lengths
        raise ValueError(f"actions must be an array {list(shape or ())}, not {brief(action)}") from None
    if given.shape != shape:
        raise ValueError(f"actions must be an array {list(shape or ())}, not {list(given.shape)}")
    if given.dtype.kind not in "iuf":
        raise ValueError(f"actions must be real numbers, not {given.dtype}")
    given = np.ascontiguousarray(given, np.float64)
    if not np.isfinite(given).all():
        raise ValueError("actions must be finite numbers")
    return given


def _meaning(config: Config, units: str) -> Meaning:
    spec = spec_of(config)
    if units == "choices":
        lacking = [axis.name for axis in spec.axes if not axis.grid]
        if lacking:
            raise ConfigError(f"action_units = 'choices': {lacking[0]} has no grid of choices in this market")
        rows = [axis.grid for axis in spec.axes]
        scale = np.zeros((len(rows), max(map(len, rows))))
        for row, grid in zip(scale, rows, strict=True):
            row[: len(grid)] = grid
        return Meaning(CHOICES, scale, np.array([axis.grid_skew for axis in spec.axes]), spec.fading)
    reach = REACH if units == "scaled" else 1.0
    scale = np.array([(axis.centre, reach * axis.scale) for axis in spec.axes])
    kind = MARKET if units == "market" else LINEAR
    return Meaning(kind, scale, np.array([axis.skew for axis in spec.axes]), spec.fading)


def _room(count: int, observed: int) -> Outcome:
    def numbers() -> npt.NDArray[np.float64]:
        return np.zeros(count)

    def flags() -> npt.NDArray[np.bool_]:
        return np.zeros(count, np.bool_)

    def shares() -> npt.NDArray[np.int64]:
        return np.zeros(count, np.int64)

    return Outcome(
        numbers(), flags(), flags(), numbers(), shares(), numbers(),
        np.zeros((count, observed), np.float32), numbers(), shares(), numbers(),
    )  # fmt: skip
