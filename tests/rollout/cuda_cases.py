"""What is played by the cuda engine and the compiled one alike; run as a program, by numba's CUDA simulator.

The simulator plays kernels as plain Python, each thread a Python thread; the environment chooses it before the start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.markets.contract import spec_of
from mmrl.rollout import quoters
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.build import build
from mmrl.settings.model import Config

SEED, EPOCH, COUNT = 1, 2, 3
GAME = {"name": "avellaneda-stoikov", "nt": 12}
BOOK = {"name": "book", "nt": 4}
FLOW = {"name": "order-flow", "nt": 3, "warm_up": 0.2}
SETTINGS: dict[str, dict[str, Any]] = {
    "game": {"market": GAME, "reward": {"utility": "entropic"}},
    "game, learned": {"market": GAME},
    "book, its own maker": {"market": BOOK, "reward": {"utility": "custom", "final": "cara"}},
    "book, learned": {"market": BOOK | {"observation": "full"}},
    "flow, its own maker": {"market": FLOW},
    "flow, learned choices": {"market": FLOW, "policy": {"kind": "categorical"}},
    "toy": {"market": {"name": "toy", "nt": 8}},
}
NETWORK = [name for name in SETTINGS if "learned" in name]
"""Whose sums the CPU may add up in another order."""


def cases() -> Iterator[tuple[str, Config, Any]]:
    """Name, settings and maker of every case."""
    for name, settings in SETTINGS.items():
        config = build(settings)
        yield name, config, maker_for(name, config)


def maker_for(name: str, config: Config) -> Any:
    """A network of random weights, the market's own maker, or a linear rule."""
    spec = spec_of(config)
    if "learned" in name:
        gaussian = config.policy.kind == "gaussian"
        outputs = len(spec.axes) if gaussian else sum(len(axis.grid) for axis in spec.axes)
        rng = np.random.default_rng(7)
        sizes = (len(spec.columns), 16, outputs)
        layers: Any = [
            (rng.normal(size=(a, b)).astype(np.float32) / 4, rng.normal(size=b).astype(np.float32) / 4)
            for a, b in pairwise(sizes)
        ]
        log_std = np.full(len(spec.axes) if gaussian else 0, -0.5, np.float32)
        scale = np.full(sizes[0], 3.0, np.float32)
        return PolicyWeights(layers, log_std, np.zeros(sizes[0], np.float32), scale)
    if "its own" in name:
        return quoters.heuristic()
    return quoters.linear((axis.centre, 0.1, 0.2) for axis in spec.axes)


def columns(batch: Any) -> dict[str, np.ndarray]:
    """The arrays of a batch by name."""
    return {name: array for name, array in vars(batch.numpy()).items() if array is not None}


def main(folder: Path) -> None:
    """Play every case and write a file of each."""
    from mmrl.rollout.cuda import CudaEngine

    for name, config, maker in cases():
        engine = CudaEngine(config, "cpu")
        engine.rollout(quoters.fixed(*(0.0,) * len(spec_of(config).axes)), 0, 0, 2, steps=1)  # whatever was before
        found: Any = columns(engine.rollout(maker, SEED, EPOCH, COUNT))
        np.savez(folder / f"{name}.npz", **found)


if __name__ == "__main__":
    from tests.toy import register

    with register.registered():
        main(Path(sys.argv[1]))
