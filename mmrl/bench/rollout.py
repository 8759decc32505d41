"""Steps a second of rollouts: every market, engine and device, under a learned policy or a closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from mmrl.bench.clock import seconds_of
from mmrl.settings.model import Config

UNTRAINED = 0.01
"""Scale of the last layer: a policy that has learned nothing yet quotes near the centres of its actions."""
WIDE = 1e6
"""Observations divided by this are never clipped, and multiplied by it again they are the raw ones."""


STEPS_OF_COPIES = 20
"""Of a vector of environments, between two looks at the clock."""


class Absent(Exception):
    """What a case needs is not on this machine; the message is the reason."""


def configured(preset: str | None, settings: Mapping[str, Any]) -> Config:
    """A preset, or None for the defaults, with some settings changed."""
    from mmrl.settings.sources import resolve

    return resolve(dict(settings), None, preset, {})[0]


def compiled(
    preset: str | None, settings: Mapping[str, Any], events: int = 1, agent: str = "", threads: int = 1
) -> Callable[[], float]:
    """Steps a second of the compiled engine as training uses it, times the `events` of the market in a step.

    An untrained network of the preset's size plays, or a classical `agent`.
    """
    from mmrl.rollout.compiled import Buffers, rollout  # where other commits have them

    config = configured(preset, {**settings, "device": "cpu", "engine": "compiled"})
    if agent:
        from mmrl.agents import agent as quoter_of
        from mmrl.agents import playing

        quoter, config = quoter_of(agent, config), playing(agent, config)
    else:
        quoter = _untrained(config)
    buffers, epoch = Buffers(flows=False), 0

    def steps_per_second() -> float:
        lived = 0

        def play() -> None:
            nonlocal lived, epoch
            epoch += 1
            lived += rollout(config, quoter, 0, epoch, threads=threads, buffers=buffers).nnz

        calls = 0

        def counted() -> None:
            nonlocal calls
            calls += 1
            play()

        seconds = seconds_of(counted, threads)
        return events * lived / calls / seconds

    steps_per_second()
    return steps_per_second


def environments(market: str, copies: int, threads: int = 1) -> Callable[[], float]:
    """Steps a second of a vector of gymnasium's environments with the same action at every step."""
    from importlib.util import find_spec

    if find_spec("gymnasium") is None:
        raise Absent("gymnasium is not installed: pip install 'market-making-rl[gymnasium]'")
    from mmrl.gym.envs import MarketVectorEnv

    env = MarketVectorEnv(market, copies, threads=threads)
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape or (), np.float32)

    def play() -> None:
        for _ in range(STEPS_OF_COPIES):
            env.step(action)

    play()
    return lambda: copies * STEPS_OF_COPIES / seconds_of(play, threads)


def _untrained(config: Config) -> Any:
    """A learned quoter as it is before training: random layers, observations scaled as they come."""
    from mmrl.markets.contract import spec_of
    from mmrl.rollout.compiled import rollout
    from mmrl.rollout.quoters import learned
    from mmrl.rollout.weights import PolicyWeights

    spec, rng = spec_of(config), np.random.default_rng(0)
    gaussian = config.policy.kind == "gaussian"
    outputs = len(spec.axes) if gaussian else sum(len(axis.grid) for axis in spec.axes)
    sizes = [len(spec.columns), *[config.policy.layer_size] * config.policy.layers, outputs]
    layers = [
        ((rng.normal(size=(a, b)) / math.sqrt(a)).astype(np.float32), np.zeros(b, np.float32))
        for a, b in pairwise(sizes)
    ]
    layers[-1] = (layers[-1][0] * np.float32(UNTRAINED), layers[-1][1])
    log_std = np.full(len(spec.axes) if gaussian else 0, config.policy.log_std, np.float32)
    wide = PolicyWeights(layers, log_std, np.zeros(sizes[0], np.float32), np.full(sizes[0], WIDE, np.float32))
    seen = rollout(config, learned(wide), 0, 0, count=4, threads=1).observation * np.float32(WIDE)
    scale = np.maximum(seen.std(axis=0), 1e-3).astype(np.float32)
    return learned(PolicyWeights(layers, log_std, seen.mean(axis=0).astype(np.float32), scale))


def on_device(engine: str, preset: str | None, device: str, settings: Mapping[str, Any]) -> Callable[[], float]:
    """Steps a second of the tensor or the cuda engine on a device, under the policy of a training that begins."""
    from importlib.util import find_spec

    from mmrl.learn.trainer import Trainer
    from mmrl.rollout.devices import available_devices

    if device not in available_devices():
        raise Absent(f"this machine has no {device}")
    if engine == "cuda" and find_spec("numba_cuda") is None:
        raise Absent("numba-cuda is not installed")
    trainer = Trainer(configured(preset, {**settings, "device": device, "engine": engine}))

    def play() -> float:
        return float(trainer.rollout(1).reward.sum())  # waits for the device

    lived = trainer.rollout(1).nnz
    return lambda: lived / seconds_of(play, threads=0)
