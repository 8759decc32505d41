"""What tests of several folders build: batches by hand, policies that nobody trained."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from mmrl.markets.avellaneda_stoikov.settings import Settings as GameSettings
    from mmrl.markets.book.settings import Settings as BookSettings
    from mmrl.rollout.trajectories import Trajectories
    from mmrl.rollout.weights import PolicyWeights
    from mmrl.settings.model import Config

signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""Under nohup the programs that are tested would rightly outlive their terminals and readers."""
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of a job that a script put into the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

COMPLETE = os.environ.get("MMRL_FAULTS") == "complete"
COUNTS = ("inventory", "bought", "sold")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes too long for every run of the tests, unless all is asked for."""
    if COMPLETE:
        return
    long = [item for item in items if item.get_closest_marker("nightly")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]


def book_of(config: Config) -> BookSettings:
    """The market of a config that trades in the book."""
    from mmrl.markets.book.settings import Settings

    assert isinstance(config.market, Settings)
    return config.market


def game_of(config: Config) -> GameSettings:
    """The market of a config that trades in the market of Avellaneda & Stoikov."""
    from mmrl.markets.avellaneda_stoikov.settings import Settings

    assert isinstance(config.market, Settings)
    return config.market


@pytest.fixture(scope="session")
def make_trajectories() -> Callable[..., Trajectories]:
    """Build a batch of the given lengths: columns by keyword, all others zeros, steps of length 1."""

    def make(lengths: Sequence[int], obs: int = 2, actions: int = 2, **columns: Any) -> Trajectories:
        from mmrl.kernels.account import FLOWS
        from mmrl.rollout.trajectories import PER_STEP, PER_TRAJECTORY, Trajectories

        count, rows = len(lengths), int(sum(lengths))
        wide = {"observation": (obs,), "action": (actions,), "last_observation": (obs,)}
        made: dict[str, Any] = {}
        for names, size in (([*PER_STEP, *FLOWS], rows), (PER_TRAJECTORY, count)):
            for name in names:
                kind: type = np.float64
                if name.removeprefix("final_") in COUNTS:
                    kind = np.int32
                elif name in wide or name == "log_prob":
                    kind = np.float32
                elif name == "terminated":
                    kind = np.bool_
                made[name] = np.zeros((size, *wide.get(name, ())), kind)
        made["time"] = np.concatenate([np.arange(k, dtype=np.float64) for k in lengths] or [np.zeros(0)])
        made["final_time"] = np.array(lengths, np.float64)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return Trajectories(offsets=offsets, **{**made, **columns})

    return make


@pytest.fixture(scope="session")
def untrained() -> Callable[..., PolicyWeights]:
    """A policy of random numbers for a config's market: as many outputs as it has axes, or choices."""

    def make(
        config: Config, hidden: tuple[int, ...] = (16, 16), gain: float = 0.3, divisor: float = 5.0
    ) -> PolicyWeights:
        from mmrl.markets.contract import spec_of
        from mmrl.rollout.weights import PolicyWeights

        rng, spec = np.random.default_rng(0), spec_of(config)
        obs, outputs = len(spec.columns), len(spec.axes)
        if config.policy.kind == "categorical":
            outputs = sum(len(axis.grid) for axis in spec.axes)
        sizes = [obs, *hidden, outputs]
        layers = [
            (gain * rng.normal(size=(a, b)).astype(np.float32), np.zeros(b, np.float32)) for a, b in pairwise(sizes)
        ]
        log_std = np.full(len(spec.axes), -0.5, np.float32)
        skip = gain * rng.normal(size=(obs, outputs)).astype(np.float32)
        return PolicyWeights(layers, log_std, np.zeros(obs, np.float32), np.full(obs, divisor, np.float32), skip)

    return make
