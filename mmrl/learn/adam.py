"""Adam (Kingma & Ba 2015) over groups of parameters with learning rates of their own.

The same arithmetic as torch.optim.Adam, which imports torch's compiler when it is made: more than a second at every
start, for a few thousand numbers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.kernels.jit import kernel


class Adam:
    """`param_groups` is a list of {"params": [...], "lr": float}, as torch's optimisers have it."""

    def __init__(
        self, groups: list[dict[str, Any]], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-5
    ) -> None:
        self.param_groups = groups
        self.betas, self.eps = betas, eps
        self.parameters: list[Tensor] = [p for group in groups for p in group["params"]]
        self.steps = [0] * len(self.parameters)
        self.mean: list[Tensor] = [torch.zeros_like(p) for p in self.parameters]
        self.square: list[Tensor] = [torch.zeros_like(p) for p in self.parameters]
        self.on_cpu = all(p.device.type == "cpu" for p in self.parameters)
        held = zip(self.parameters, self.mean, self.square, strict=True) if self.on_cpu else ()
        self._flat = [tuple(tensor.detach().view(-1).numpy() for tensor in three) for three in held]
        """The same memory, flat, without torch."""

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        alike: dict[tuple[int, float], list[int]] = defaultdict(list)
        for k, rate in enumerate(group["lr"] for group in self.param_groups for _ in group["params"]):
            if self.parameters[k].grad is not None:
                self.steps[k] += 1
                alike[self.steps[k], rate].append(k)
        for (steps, rate), places in alike.items():
            first, second = (1 - beta**steps for beta in self.betas)
            if self.on_cpu:
                self._compiled(places, rate / first, second)
            else:
                self._by_torch(places, rate / first, second)

    def _compiled(self, places: list[int], rate: float, second: float) -> None:
        numbers = np.array([*self.betas, rate, second, self.eps])
        for k in places:
            gradient = self.parameters[k].grad
            assert gradient is not None
            parameter, mean, square = self._flat[k]
            _move(parameter, gradient.numpy().reshape(-1), mean, square, numbers)

    def _by_torch(self, places: list[int], rate: float, second: float) -> None:
        """The same on other devices: one call for each operation, not one for each parameter."""
        parameters, mean, square = ([held[k] for k in places] for held in (self.parameters, self.mean, self.square))
        gradients = [p.grad for p in parameters if p.grad is not None]
        torch._foreach_lerp_(mean, gradients, 1 - self.betas[0])
        torch._foreach_mul_(square, self.betas[1])
        torch._foreach_addcmul_(square, gradients, gradients, value=1 - self.betas[1])
        below = torch._foreach_div(square, second)
        torch._foreach_sqrt_(below)
        torch._foreach_add_(below, self.eps)
        torch._foreach_addcdiv_(parameters, mean, below, value=-rate)

    def state_dict(self) -> dict[str, Any]:
        """Steps of each parameter and both moments; learning rates are settings, not state."""
        return {"steps": list(self.steps), "mean": list(self.mean), "square": list(self.square)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() gave. Raises ValueError where it does not fit the parameters."""
        shapes = [tuple(m.shape) for m in self.mean]
        if any([tuple(t.shape) for t in state[name]] != shapes for name in ("mean", "square")):
            raise ValueError("the optimiser's state is that of other networks")
        self.steps = [int(n) for n in state["steps"]]
        for mine, saved in zip(self.mean + self.square, [*state["mean"], *state["square"]], strict=True):
            mine.copy_(saved)


@kernel
def _move(parameter: Any, gradient: Any, mean: Any, square: Any, numbers: Any) -> None:
    """One step of a parameter, all arrays flat; numbers are the two betas, the rate over the correction of the first
    moment, the correction of the second, and eps."""
    first, second, rate, correction, eps = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for k in range(parameter.size):
        mean[k] += (gradient[k] - mean[k]) * (1.0 - first)
        square[k] = second * square[k] + (1.0 - second) * gradient[k] * gradient[k]
        parameter[k] -= rate * mean[k] / (math.sqrt(square[k] / correction) + eps)
