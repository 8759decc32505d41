"""The game of Avellaneda & Stoikov (Quantitative Finance 8(3), 2008) as batched tensor operations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class GameState:
    """N games; a step changes it in place."""

    mid: Tensor  # real [N], currency
    wealth: Tensor  # real [N]
    inventory: Tensor  # int64 [N]


class TensorGame:
    """One step of N games given its random numbers."""

    def __init__(self, market: Any, device: torch.device) -> None:
        self.market, self.device = market, device
        self.real = torch.float32 if device.type == "mps" else torch.float64
        self.dt = market.horizon / market.nt
        self.jump = market.sigma * math.sqrt(self.dt)

    def start(self, count: int) -> GameState:
        """N games at time 0."""
        mid = torch.full((count,), self.market.as_midprice, dtype=self.real, device=self.device)
        number, reach = torch.arange(count, device=self.device), self.market.start_inventory
        inventory = torch.where(number % 2 == 0, 0, (number // 2) % (2 * reach + 1) - reach)
        return GameState(mid, -inventory * mid, inventory)

    def fill_probability(self, delta: Tensor) -> Tensor:
        """Probability that quotes at distance delta, which is not clipped at 0, are hit within one step."""
        rate = self.market.arrival * self.dt * torch.exp((-self.market.k * delta).clamp(max=50.0))
        return -torch.expm1(-rate) if self.market.fill == "poisson" else rate.clamp(max=1.0)

    def step(self, s: GameState, delta: Tensor, uniform: Tensor, up: Tensor) -> None:
        """Fills of one share at distances (bid, ask) [N, 2] by uniform numbers [N, 2], then the mid moves up [N]
        or down by sigma sqrt(dt)."""
        hit = uniform < self.fill_probability(delta)
        bought, sold = hit[:, 0], hit[:, 1]
        s.wealth = s.wealth - bought * (s.mid - delta[:, 0]) + sold * (s.mid + delta[:, 1])
        s.inventory = s.inventory + bought.long() - sold.long()
        s.mid = torch.where(up, s.mid + self.jump, s.mid - self.jump)
