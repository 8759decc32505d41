"""Adam (Kingma & Ba 2015) on one vector of numbers, on the host or on a device."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.learn.layout import Layout
from mmrl.rollout.arrays import Column, beside, copied, library

BETAS = (0.9, 0.999)
EPS = 1e-5


class Adam:
    """The arithmetic of torch.optim.Adam; steps are counted for each array of the layout, as a checkpoint has them."""

    def __init__(self, layout: Layout, numbers: Column, rate: float) -> None:
        """`numbers` are of the kind that will be moved."""
        self.layout, self.rate = layout, rate
        self.steps = [0] * len(layout.shapes)
        self.mean, self.square = (library(numbers).zeros_like(numbers) for _ in range(2))

    def step(self, numbers: Column, gradient: Column) -> None:
        """Move the numbers against their gradient, all in place."""
        self.steps = [steps + 1 for steps in self.steps]
        at = 0
        for steps, alike in groupby(zip(self.steps, self.layout.sizes, strict=True), key=lambda each: each[0]):
            first, at = at, at + sum(size for _, size in alike)
            one, two = (1.0 - beta**steps for beta in BETAS)
            held = (column[first:at] for column in (numbers, gradient, self.mean, self.square))
            move: Any = _move if isinstance(numbers, np.ndarray) else _move_tensors
            move(*held, (*BETAS, self.rate / one, two, EPS))

    def state_dict(self) -> dict[str, Any]:
        """Steps of each array and both moments; the learning rate is a setting, not state."""
        return {"steps": list(self.steps), "mean": copied(self.mean), "square": copied(self.square)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() gave; an earlier version gave moments as lists, of all arrays or of the first ones.
        ValueError where it does not fit."""
        for name, held in (("mean", self.mean), ("square", self.square)):
            held[:] = 0.0
            saved = state[name]
            whole = not isinstance(saved, list)
            into = [held] if whole else list(self.layout.named(held).values())[: len(saved)]
            parts = [saved] if whole else saved
            if [tuple(part.shape) for part in parts] != [tuple(part.shape) for part in into]:
                raise ValueError("the optimiser's state is that of other networks")
            for mine, part in zip(into, parts, strict=True):
                mine[...] = beside(part, mine)
        known = [int(steps) for steps in state["steps"]]
        if len(known) > len(self.steps):
            raise ValueError("the optimiser's state is that of other networks")
        self.steps = known + [0] * (len(self.steps) - len(known))


@kernel
def _move(numbers: Any, gradient: Any, mean: Any, square: Any, factors: Any) -> None:
    """One step; factors are the two betas, the learning rate over the correction of the first moment, the correction of
    the second, and eps."""
    first, second, rate, less, eps = factors
    for k in range(numbers.size):
        mean[k] += (gradient[k] - mean[k]) * (1.0 - first)
        square[k] = second * square[k] + (1.0 - second) * gradient[k] * gradient[k]
        numbers[k] -= rate * mean[k] / (math.sqrt(square[k] / less) + eps)


def _move_tensors(numbers: Any, gradient: Any, mean: Any, square: Any, factors: tuple[float, ...]) -> None:
    """The same by torch."""
    first, second, rate, less, eps = factors
    mean.lerp_(gradient, 1.0 - first)
    square.mul_(second).addcmul_(gradient, gradient, value=1.0 - second)
    numbers.addcdiv_(mean, (square / less).sqrt_().add_(eps), value=-rate)
