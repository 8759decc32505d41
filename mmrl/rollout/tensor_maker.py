"""Who quotes in the tensor engine: observations [N, obs] in, actions and market quotes [N, A] out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.kernels.tensor_random import poisson
from mmrl.markets.avellaneda_stoikov.dynamics import quote_scale
from mmrl.rollout.quoters import Quoter


class Player:
    """Turns observations into actions and market quotes: the policy module, or a Quoter that does not learn."""

    def __init__(
        self, config: Any, policy: Any, normaliser: Any, generator: torch.Generator, device: torch.device
    ) -> None:
        self.policy, self.generator, self.config = policy, generator, config
        p, book = config.policy, config.market.name == "book"
        self.real = torch.float32 if device.type == "mps" else torch.float64

        def tensor(values: Any) -> Tensor:
            return torch.tensor(values, dtype=self.real, device=device)

        self.mean = self.std = None
        if normaliser is not None:
            self.mean = torch.as_tensor(np.asarray(normaliser.mean), dtype=torch.float32).to(device)
            self.std = torch.as_tensor(np.asarray(normaliser.std), dtype=torch.float32).to(device)
        *delta, self.lean = (p.delta_centre, p.delta_scale, 0.0) if book else quote_scale(config.market, p)
        rows = [(p.size_centre, p.size_scale), delta] * 2 if book else [delta] * 2
        self.centre, self.scale = tensor(rows).T
        grid = [float(x) for x in p.delta_grid]
        self.grids = [tensor(g) for g in ([[float(x) for x in p.size_grid], grid] * 2 if book else [grid] * 2)]
        self.kind = policy.kind if isinstance(policy, Quoter) else "learned"
        if isinstance(policy, Quoter):
            if self.kind == "learned" or (self.kind == "naive" and not book):
                raise ValueError(f"the {self.kind} quoter is not for the tensor engine in this market")
            self.constant = tensor(policy.constant)
            self.table = None if policy.table is None else tensor(policy.table.tolist())

    def normalise(self, raw: Tensor) -> Tensor:
        """Observations float32 [N, obs] as the policy sees them."""
        if self.mean is None or self.std is None:
            return raw.clamp(-10.0, 10.0)
        return ((raw - self.mean) / self.std).clamp(-10.0, 10.0)

    def quote(
        self, observation: Tensor, seen: Tensor | None, t: int, inventory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Action float32 [N, A], the same in market units [N, A] and log-probability [N]."""
        n = observation.shape[0]
        if self.kind == "learned":
            action, log_prob = self.policy.sample(observation, self.generator)
            if self.config.policy.kind == "gaussian":
                quote = self.centre + self.scale * action.to(self.real)
                if self.lean:
                    quote = quote + self.lean * inventory[:, None] * quote.new_tensor([1.0, -1.0])
                return action, quote, log_prob
            picked = [grid[action[:, k].long()] for k, grid in enumerate(self.grids)]
            return action, torch.stack(picked, 1), log_prob
        if self.kind == "fixed":
            quote = self.constant.expand(n, -1)
        elif self.kind == "naive":
            assert seen is not None
            shares = poisson(0.75 * seen[:, ::2], self.generator)
            noise = torch.empty_like(shares).normal_(generator=self.generator)
            delta = seen[:, 1::2] * (1.0 + 0.25 * noise)
            quote = torch.stack([shares[:, 0], delta[:, 0], shares[:, 1], delta[:, 1]], 1)
        else:
            assert self.table is not None
            reach = (self.table.shape[1] - 1) // 2
            row = t * self.table.shape[0] // self.config.market.nt
            quote = self.table[row][inventory.clamp(-reach, reach) + reach]
        return quote.float(), quote, torch.zeros_like(observation[:, 0])
