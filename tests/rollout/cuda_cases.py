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
import torch

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
_EXCITED = {"hawkes_decays": [6.0, 1.0], "hawkes_same": [0.3, 0.2], "hawkes_cross": [0.05, 0.1]}
_ALL_KINDS = [0.2, 0.02, 0.01, 0.0, 0.03, 0.05, 0.01, 0.1, 0.0, 0.02, 0.0, 0.04, 0.05, 0.0, 0.2, 0.01, 0.0, 0.1]
RULES: dict[str, dict[str, Any]] = {
    "game, linear": GAME | {"fill": "linear"},
    "book, lineage": BOOK
    | {"owner": "maker", "crossed": "dropped", "market_order": "walk", "exhausted": "refilled"}
    | {"emptying_step": "discarded", "rounding": "nearest", "book_size": 2000, "seed_spread": 0.4, "volatility": 0.02}
    | {"intensity": [3.0, -2.13, -0.8, -2.3, 0.167, -0.1]},  # so that the books last
    "book, lots": BOOK | {"priority": "size", "touch_size": "lot", "n_obs": 3},
    "book, orders": BOOK | {"arrivals": "orders", "large_sizes": "formula", "observation": "state"},
    "book, uniform": BOOK | {"uniform": True, "observation": "full"},
    "flow, events": FLOW | _EXCITED | {"size_law": "geometric", "limit_size": 3.0, "decide_by": "events"},
    "flow, all kinds": FLOW
    | {"hawkes_kinds": "all", "hawkes_decays": [4.0], "hawkes_matrix": _ALL_KINDS, "size_law": "table"}
    | {"limit_size_table": [2.0, 1.0, 1.0], "market_size_table": [3.0, 1.0], "latency_law": "constant"},
    "flow, informed": FLOW
    | {"efficient_price": "random-walk", "informed_orders": "all", "informed_share": 0.6, "actions": "limit+market"}
    | {"latency_law": "exponential", "quotes": 2},
    "flow, reverting": FLOW
    | {"efficient_price": "ornstein-uhlenbeck", "market_law": "spread-queue", "distance_from": "mid"}
    | {"post_only": False, "close_at_end": False},
    "flow, redraw": FLOW
    | {"depletion": "redraw", "levels": 1, "limit_rates": [1.85], "cancel_rates": [0.71], "redraw_weights": [1.0, 2.0]},
}
"""Rules that the cases above have not, by market settings; the slow part, played at night."""
SETTINGS_OF_RULES = {name: {"market": market} for name, market in RULES.items()}
PART = "game"
"""The case of which a process may simulate some trajectories alone."""
NETWORK = [name for name in SETTINGS if "learned" in name]
"""Whose sums the CPU may add up in another order."""


def cases(chosen: dict[str, dict[str, Any]] = SETTINGS) -> Iterator[tuple[str, Config, Any]]:
    """Name, settings and maker of every case."""
    for name, settings in chosen.items():
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


def fill_with_nan() -> None:
    """Let torch give memory as it may be on a device, where anything was before."""
    empty = torch.empty

    def filled(*args: Any, **kwargs: Any) -> torch.Tensor:
        made = empty(*args, **kwargs)
        return made.fill_(float("nan") if made.is_floating_point() else 77)

    torch.empty = filled  # type: ignore[assignment]


def main(folder: Path, chosen: dict[str, dict[str, Any]]) -> None:
    """Play every case and write a file of each."""
    from mmrl.rollout.cuda import CudaEngine

    fill_with_nan()
    for name, config, maker in cases(chosen):
        engine = CudaEngine(config, "cpu")
        engine.rollout(quoters.fixed(*(0.0,) * len(spec_of(config).axes)), 0, 0, 2, steps=1)  # whatever was before
        found: Any = columns(engine.rollout(maker, SEED, EPOCH, COUNT))
        np.savez(folder / f"{name}.npz", **found)
        if name == PART:
            found = columns(engine.rollout(maker, SEED, EPOCH, COUNT - 1, first=1))
            np.savez(folder / "part.npz", **found)


if __name__ == "__main__":
    from tests.toy import register

    with register.registered():
        main(Path(sys.argv[1]), SETTINGS_OF_RULES if "rules" in sys.argv else SETTINGS)
