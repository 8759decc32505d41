"""The market of Avellaneda & Stoikov (Quantitative Finance 8(3), 2008) as batched tensor operations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mmrl.kernels.tensor_devices import real_type
from mmrl.markets.avellaneda_stoikov.settings import Settings

Record = dict[str, Tensor]


@dataclass
class State:
    """N trajectories; a step changes it in place."""

    mid: Tensor  # real [N], currency
    cash: Tensor  # real [N]
    inventory: Tensor  # int64 [N]
    uniform: Tensor  # real [N, 3], memory for random numbers
    quote: Tensor  # real [N, 2], distances of bid and ask
    hit: Tensor  # bool [N, 2], whether bid and ask were filled in the last step
    before: Tensor  # real [N], mid before the last step
    step: int = 0


class TensorMarket:
    """One step of N trajectories given its random numbers."""

    def __init__(self, market: Settings, device: torch.device) -> None:
        self.market, self.device = market, device
        self.real = real_type(device)
        self.dt = market.dt
        self.jump = market.sigma * math.sqrt(self.dt)

    def reset(self, count: int, generator: torch.Generator) -> State:
        mid = torch.full((count,), self.market.midprice, dtype=self.real, device=self.device)
        number, most = torch.arange(count, device=self.device), self.market.start_inventory
        inventory = torch.where(number % 2 == 0, 0, (number // 2) % (2 * most + 1) - most)
        uniform = torch.empty((count, 3), dtype=self.real, device=self.device)
        return State(mid, -inventory * mid, inventory, uniform, uniform[:, :2], uniform[:, :2] < 0, mid)

    def fill_probability(self, delta: Tensor) -> Tensor:
        """Probability that quotes at distance delta, which is not clipped at 0, are hit within one step."""
        rate = self.market.arrival * self.dt * torch.exp((-self.market.k * delta).clamp(max=50.0))
        return -torch.expm1(-rate) if self.market.fill == "poisson" else rate.clamp(max=1.0)

    def observe(self, s: State, t: int, over: Tensor) -> Tensor:
        q = s.inventory.float()
        return torch.stack([q, torch.full_like(q, (self.market.nt - t) / self.market.nt)], 1)

    def heuristic(self, s: State, generator: torch.Generator) -> Tensor:
        raise NotImplementedError("the market has no simple maker of its own")

    def act(self, s: State, quote: Tensor, alive: Tensor) -> None:
        s.quote = quote

    def advance(self, s: State, generator: torch.Generator, alive: Tensor) -> Tensor:
        s.uniform.uniform_(generator=generator)
        self.trade(s, s.uniform[:, :2], s.uniform[:, 2] < 0.5)
        return alive

    def trade(self, s: State, uniform: Tensor, up: Tensor) -> None:
        """Fills of one share at the quotes by uniform numbers [N, 2], then the mid moves up [N] or down by
        sigma sqrt(dt)."""
        s.hit = uniform < self.fill_probability(s.quote)
        bought, sold = s.hit[:, 0], s.hit[:, 1]
        s.cash = s.cash - bought * (s.mid - s.quote[:, 0]) + sold * (s.mid + s.quote[:, 1])
        s.inventory = s.inventory + bought.long() - sold.long()
        s.before, s.mid = s.mid, torch.where(up, s.mid + self.jump, s.mid - self.jump)
        s.step += 1

    def ended(self, s: State) -> Tensor:
        return torch.zeros_like(s.hit[:, 0])

    def standing(self, s: State) -> Record:
        time = torch.full_like(s.mid, s.step * self.dt)
        return {"time": time, "cash": s.cash, "inventory": s.inventory, "mid": s.mid}

    def flows(self, s: State) -> Record:
        bid, ask = s.before - s.quote[:, 0], s.before + s.quote[:, 1]
        return {
            "bid": bid,
            "ask": ask,
            "bought": s.hit[:, 0].long(),
            "sold": s.hit[:, 1].long(),
            "paid": s.hit[:, 0] * bid,
            "received": s.hit[:, 1] * ask,
            "revaluation": s.inventory * (s.mid - s.before),
            "elapsed": torch.full_like(s.mid, self.dt),
        }

    def in_currency(self, rows: Record) -> Record:
        money = ("time", "cash", "mid", "bid", "ask", "paid", "received", "revaluation", "elapsed")
        return {name: x.double() if name in money else x for name, x in rows.items()}
