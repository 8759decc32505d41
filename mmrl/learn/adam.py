"""Adam (Kingma & Ba 2015) over groups of parameters with learning rates of their own.

The same arithmetic as torch.optim.Adam, which imports torch's compiler when it is made: more than a second at every
start, for a few thousand numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Adam:
    """`param_groups` is a list of {"params": [...], "lr": float}, as torch's optimisers have it."""

    def __init__(
        self, groups: list[dict[str, Any]], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-5
    ) -> None:
        self.param_groups = groups
        self.betas, self.eps = betas, eps
        parameters = [p for group in groups for p in group["params"]]
        self.steps = [0] * len(parameters)
        self.mean: list[Tensor] = [torch.zeros_like(p) for p in parameters]
        self.square: list[Tensor] = [torch.zeros_like(p) for p in parameters]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        rates = [(p, group["lr"]) for group in self.param_groups for p in group["params"]]
        if len({rate for _, rate in rates}) == len(set(self.steps)) == 1 and all(p.grad is not None for p, _ in rates):
            self._step_together([p for p, _ in rates], rates[0][1])
            return
        for k, (parameter, rate) in enumerate(rates):
            gradient, mean, square = parameter.grad, self.mean[k], self.square[k]
            if gradient is None:
                continue
            self.steps[k] += 1
            first, second = (1 - beta ** self.steps[k] for beta in self.betas)
            mean.lerp_(gradient, 1 - self.betas[0])
            square.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
            parameter.addcdiv_(mean, square.div(second).sqrt_().add_(self.eps), value=-rate / first)

    def _step_together(self, parameters: list[Tensor], rate: float) -> None:
        """The same for all parameters at once: one call of torch for each operation, not one for each parameter."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        self.steps = [self.steps[0] + 1] * len(parameters)
        first, second = (1 - beta ** self.steps[0] for beta in self.betas)
        torch._foreach_lerp_(self.mean, gradients, 1 - self.betas[0])
        torch._foreach_mul_(self.square, self.betas[1])
        torch._foreach_addcmul_(self.square, gradients, gradients, value=1 - self.betas[1])
        below = torch._foreach_div(self.square, second)
        torch._foreach_sqrt_(below)
        torch._foreach_add_(below, self.eps)
        torch._foreach_addcdiv_(parameters, self.mean, below, value=-rate / first)

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
