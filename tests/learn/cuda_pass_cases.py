"""Gradients by the kernel of CUDA and by the compiled pass of the CPU; run as a program, by numba's CUDA simulator."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.learn import compiled_pass, cuda_pass, gradient
from mmrl.learn.compiled_pass import CLIP, NOCLIP, REINFORCE
from mmrl.learn.policy import CategoricalPolicy, Policy, make_policy
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


def preset(name: str, rows: int = ROWS) -> tuple[Policy, LearningBatch, Tensor, Config]:
    """A small policy of a preset, rows to learn from, which of them, and the config."""
    config, _ = resolve({"policy.layer_size": 6}, None, name, {})
    torch.manual_seed(0)
    policy, spec = make_policy(config), spec_of(config)
    for parameter in policy.parameters():
        parameter.data += torch.randn(parameter.shape) / 4
    action = torch.randn(rows, len(spec.axes))
    if isinstance(policy, CategoricalPolicy):
        action = torch.stack([torch.randint(0, choices, (rows,)) for choices in policy.choices], 1).float()
    observation, old, advantage = torch.randn(rows, len(spec.columns)), torch.randn(rows) / 2 - 2.0, torch.randn(rows)
    return policy, LearningBatch(observation, action, old, advantage), torch.arange(0, rows, 2), config


def left_in(policy: Policy) -> dict[str, np.ndarray]:
    """The gradients of the parameters that have one."""
    return {name: p.grad.numpy() for name, p in policy.named_parameters() if p.grad is not None}


def main(folder: Path) -> None:
    """Write the sums of every case, which are the same twice, and what the learner has of them."""
    cuda_pass.THREADS, cuda_pass.BLOCKS = (THREADS,), BLOCKS  # type: ignore[assignment]
    for name, rule, layers, kind in CASES:
        for part in (False, True):
            once, again = (on_device(case(rule, layers, kind, part)) for _ in range(2))
            assert all(np.array_equal(once[key], again[key]) for key in once)
            np.savez(folder / f"{name}, {part}.npz", **once)  # type: ignore[arg-type]
    setattr(gradient, "find_spec", str)  # noqa: B010  the simulator needs no package
    for name in PRESETS:
        policy, batch, rows, config = preset(name)
        means = gradient._on_cuda(policy, batch, rows, config, 0.05)
        np.savez(folder / f"{name}.npz", means=means, **left_in(policy))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
