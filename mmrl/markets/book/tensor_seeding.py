"""Seeding N books of the tensor engine at once: one round places a bid and an ask in every book that is due."""

from __future__ import annotations

import math
from typing import Protocol

import torch

from mmrl.kernels.tensor_random import poisson
from mmrl.markets.book.settings import Settings
from mmrl.markets.book.tensor_state import BLOCK, REFILL, BookState, best_first

_MAX_SEEDS = 1000


class Books(Protocol):
    """What the seeding needs to know of the market."""

    market: Settings
    device: torch.device
    real: torch.dtype
    start: float
    width: int

    def mids(self, mid: torch.Tensor) -> torch.Tensor:
        """The mid as an index of every row [R]."""

    def rows(self, s: BookState, side: int) -> slice:
        """The rows of a side."""


def seed_books(books: Books, s: BookState, generator: torch.Generator) -> BookState:
    """Seed N empty books: normal distances, Poisson sizes, in rounds until book_size shares are placed."""
    m, count = books.market, s.mid.shape[0]
    spread, size = m.seed_spread / m.tick, (_MAX_SEEDS, 2, count)
    noise = torch.empty(size, dtype=books.real, device=books.device).normal_(generator=generator)
    # in ticks inside the mid, the same for both sides thanks to the mirrored layout
    distance = 0.5 * spread + 0.25 * spread * noise
    mids = books.mids(s.mid)
    index = torch.floor(mids.view(2, -1) - distance + 0.5).long().clamp(0, books.width - 1)
    shares = poisson(torch.full(size, 2.0 * m.book_size / 1000.0, dtype=books.real, device=books.device), generator)
    shares = shares.to(torch.int32)
    placed = shares.sum(1).cumsum(0)  # [rounds, N]
    due = torch.cat([torch.zeros_like(placed[:1]), placed[:-1]]) < m.book_size
    shares *= due[:, None]
    rounds = int(due.any(1).sum())  # the one look from the host, before the first step
    # a seed beyond the mid eats the nearest orders of the other side; six deviations reach this far
    depth = min(math.ceil(spread) + 2 * BLOCK, books.width // 2 - BLOCK)
    middle = math.floor(books.start)
    low, high = middle - depth, middle + depth
    marks = torch.arange(low, high, device=books.device)
    near = s.total[:, low:high]  # a view
    beyond = marks > mids[:, None]
    held = torch.zeros(2 * count, dtype=torch.int32, device=books.device)  # shares of each row
    refill = torch.floor(s.mid + 0.5).long()
    refill = torch.cat([refill - 1, books.width - 1 - (refill + 1)])[:, None]
    for k in range(rounds):
        for side in (0, 1):
            here, there = books.rows(s, side), books.rows(s, 1 - side)
            limit = books.width - 1 - index[k, side]
            eaten = best_first(near[there], shares[k, side], marks >= limit[:, None])
            near[there] -= eaten
            taken = eaten.sum(1, dtype=torch.int32)
            left = shares[k, side] - taken
            s.total[here].scatter_add_(1, index[k, side][:, None], left[:, None])
            held[here] += left
            held[there] -= taken
        both = ((held[:count] > 0) & (held[count:] > 0)).repeat(2)
        crossed = near * (beyond & both[:, None])
        near -= crossed
        gone = crossed.sum(1, dtype=torch.int32)
        held -= gone
        if m.exhausted == "refilled":
            back = torch.where((gone > 0) & (held == 0), REFILL, 0).to(torch.int32)
            s.total.scatter_add_(1, refill, back[:, None])
            held += back
    if m.owner == "maker":
        s.own += s.total
    s.blocks += s.total.view(2 * count, -1, BLOCK).sum(2, dtype=torch.int32)
    s.own_blocks += s.own.view(2 * count, -1, BLOCK).sum(2, dtype=torch.int32)
    return s
