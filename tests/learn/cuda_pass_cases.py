"""Gradients by the kernel of CUDA and by the compiled pass of the CPU; run as a program, by numba's CUDA simulator."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmrl.learn import compiled_pass, cuda_pass, tensor_gradient
from mmrl.learn.compiled_pass import CLIP, NOCLIP, REINFORCE
from mmrl.learn.policy import Policy, make_policy
from mmrl.learn.returns import LearningBatch
from mmrl.markets.contract import spec_of
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve

ROWS = 19
"""Of the batch: two blocks of the simulated device, of which one gets a second time rows, not all of which exist."""
THREADS, BLOCKS = 8, 2
SIZES = {"two layers": (7, 5, 9, 3), "one layer": (2, 8, 3), "none": (3, 3), "three layers": (3, 8, 7, 6, 3)}
"""Threads have four units at a time: with 8, 5, 6 and 7 none to three are over."""
RULES = {"reinforce": REINFORCE, "noclip": NOCLIP, "clip": CLIP}
CASES: list[tuple[str, str, str, str]] = [
    (f"{rule}, {layers}", rule, layers, "gaussian") for rule in RULES for layers in SIZES
]
CASES += [(f"categorical, {layers}", "clip", layers, "categorical") for layers in SIZES]


def case(rule: str, layers: str, kind: str, part: bool) -> tuple[Any, ...]:
    """Rows, their order (None: all), a network's numbers and layers, and the loss; arrays of numpy."""
    rng, sizes = np.random.default_rng(3), SIZES[layers]
    count = sum((a + 1) * b for a, b in pairwise(sizes)) + sizes[0] * sizes[-1]
    gaussian = kind == "gaussian"
    axes = sizes[-1] if gaussian else 2
    observation, action = rng.normal(size=(ROWS, sizes[0])), rng.normal(size=(ROWS, axes))
    if not gaussian:
        action = np.stack([rng.integers(0, 2, ROWS), np.zeros(ROWS)], 1)
    old, advantage = rng.normal(-2.0, 0.7, ROWS), rng.normal(size=ROWS)
    rows = (array.astype(np.float32) for array in (observation, action, old, advantage))
    order = np.sort(rng.permutation(ROWS)[:17]) if part else None
    log_std = np.full(axes if gaussian else 0, -0.3, np.float32)
    groups = np.array([] if gaussian else [2, 1], np.int64)
    flat = (rng.normal(size=count) * 0.6).astype(np.float32)
    return compiled_pass.Rows(*rows), order, flat, sizes, compiled_pass.Loss(log_std, groups, RULES[rule], 0.2, 0.05)


def on_device(given: tuple[Any, ...], device: str = "cpu") -> dict[str, np.ndarray]:
    """What the kernel gives."""

    def sent(array: Any) -> Any:
        return torch.as_tensor(array, device=device) if isinstance(array, np.ndarray) else array

    rows, order, flat, sizes, loss = given
    found: Any = cuda_pass.gradient(
        type(rows)(*map(sent, rows)), sent(order), sent(flat), sizes, type(loss)(*map(sent, loss))
    )
    return {name: array.cpu().numpy() for name, array in found._asdict().items()}


PRESETS = ("avellaneda-stoikov", "order-flow-small")
"""A Gaussian policy and a categorical one."""


def preset(name: str, rows: int = ROWS) -> tuple[Policy, LearningBatch, np.ndarray, Config]:
    """A small policy of a preset, rows to learn from, which of them, and the config."""
    config, _ = resolve({"policy.layer_size": 6}, None, name, {})
    rng, policy, spec = np.random.default_rng(0), make_policy(config), spec_of(config)
    policy.numbers += rng.normal(size=policy.numbers.shape).astype(np.float32) / 4
    action = rng.normal(size=(rows, len(spec.axes)))
    if policy.choices:
        action = np.stack([rng.integers(0, choices, rows) for choices in policy.choices], 1)
    observation, old, advantage = (
        rng.normal(size=(rows, len(spec.columns))),
        rng.normal(-2, 0.5, rows),
        rng.normal(size=rows),
    )
    columns = (column.astype(np.float32) for column in (observation, action, old, advantage))
    return policy, LearningBatch.of(columns), np.arange(0, rows, 2), config


def as_tensors(policy: Policy, batch: LearningBatch, part: np.ndarray) -> tuple[Policy, LearningBatch, torch.Tensor]:
    """The same as a learner on another device has it."""
    policy.numbers = torch.from_numpy(policy.numbers)
    return policy, LearningBatch.of(map(torch.from_numpy, batch.rows)), torch.from_numpy(part)


def main(folder: Path) -> None:
    """Write the sums of every case, which are the same twice, and what the learner has of them."""
    cuda_pass.THREADS, cuda_pass.BLOCKS = (THREADS,), BLOCKS  # type: ignore[assignment]
    for name, rule, layers, kind in CASES:
        for part in (False, True):
            once, again = (on_device(case(rule, layers, kind, part)) for _ in range(2))
            assert all(np.array_equal(once[key], again[key]) for key in once)
            np.savez(folder / f"{name}, {part}.npz", **once)  # type: ignore[arg-type]
    for name in PRESETS:
        policy, batch, rows, config = preset(name)
        means = tensor_gradient.by_kernel(*as_tensors(policy, batch, rows), config, 0.05)
        np.savez(folder / f"{name}.npz", means=means, gradient=policy.gradient.numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
