"""The books of the tensor engine: what a state holds, and how an order eats into it.

Shapes: N books, R = 2 N rows (bids, then asks mirrored so that a higher index is a better price), L levels in blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64
MAX_SHARES = 1_000_000
REFILL = 100
CASH, INVENTORY, BOUGHT, SOLD, PAID, RECEIVED = range(6)
Record = dict[str, Tensor]
SIGMAS = 10.0  # noise is clamped there, which bounds the levels that one step can cross


@dataclass
class BookState:
    """N books and the accounts of their makers; a step changes it in place."""

    total: Tensor  # int32 [R, L], all shares
    own: Tensor  # int32 [R, L], the maker's among them
    blocks: Tensor  # int32 [R, L / 64], sums of total
    own_blocks: Tensor  # int32 [R, L / 64], sums of own
    mid: Tensor  # real [N], ticks above base
    account: (
        Tensor  # int64 [6, N]: cash (ticks), inventory (shares), then what the step has bought, sold, paid, received
    )
    noise: Tensor  # real [N], memory for random numbers
    history: Tensor  # float32 [N, 4 n_obs], the last states as observed, newest first
    seen: Tensor  # real [N, 4], the newest state
    before: Tensor  # real [N], mid before the step
    exposed: Tensor  # int64 [N], inventory that the move of the mid met
    bid: Tensor  # real [N], best quotes after the maker's action; the mid where a side is empty
    ask: Tensor  # real [N]
    step: int = 0

    @property
    def cash(self) -> Tensor:
        """Cash [N], ticks."""
        return self.account[CASH]

    @property
    def inventory(self) -> Tensor:
        """Inventory [N], shares."""
        return self.account[INVENTORY]


def best_first(levels: Tensor, shares: Tensor, allowed: Tensor | None) -> Tensor:
    """How many of the levels' shares [R, K] an order of shares [R] takes, the highest index first."""
    open_ = levels if allowed is None else torch.where(allowed, levels, 0)
    upto = open_.flip(1).cumsum(1, dtype=torch.int32).flip(1)
    return torch.minimum((shares[:, None] - (upto - open_)).clamp(min=0), open_).to(torch.int32)
