"""The `book` market as batched tensor operations: N books at once, no loop over them, no host round trip.

Both sides share one layout: row n holds the bids of book n, row N + n its asks mirrored (index L - 1 - level),
so that a higher index is a better price on either side. Two counters a level, all shares and the maker's own,
are enough under time priority because others' shares are seeded first and so always stand in front.
Shapes: N books, R = 2 N rows, L levels in blocks of 64. Lengths are ticks above `base`, times are steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmrl.rollout.devices import beyond_tensors

BLOCK = 64
MAX_SHARES = 1_000_000
REFILL = 100
_SIGMAS = 10.0  # noise is clamped there, which bounds the levels that one step can cross


@dataclass
class BookState:
    """N books and the accounts of their makers; a step changes it in place."""

    total: Tensor  # int32 [R, L], all shares
    own: Tensor  # int32 [R, L], the maker's among them
    blocks: Tensor  # int32 [R, L / 64], sums of total
    own_blocks: Tensor  # int32 [R, L / 64], sums of own
    mid: Tensor  # real [N], ticks above base
    cash: Tensor  # int64 [N], ticks
    inventory: Tensor  # int64 [N], shares


class TensorBook:
    """The law: the maker's action, the move of the mid, market orders; all numbers of the rules."""

    def __init__(self, market: Any, device: torch.device) -> None:
        if beyond_tensors(market):
            raise ValueError(beyond_tensors(market))
        self.market, self.device = market, device
        self.real = torch.float32 if device.type == "mps" else torch.float64
        duration = market.nt * market.dt
        reach = 3 * market.seed_spread + abs(market.drift) * duration + 10 * market.volatility * duration**0.5
        half = math.ceil(reach / market.tick) + 10
        self.start = market.midprice / market.tick
        self.base = math.floor(self.start) - half
        self.start -= self.base
        self.levels = 2 * half + 1
        self.width = -(-self.levels // BLOCK) * BLOCK
        self.drift = market.drift * market.dt / market.tick
        self.scale = market.volatility * market.dt**0.5 / market.tick
        # After a step no bid stands above the mid, so only what the mid passes in one step can be crossed.
        self.reach = min(math.ceil(abs(self.drift) + _SIGMAS * self.scale) + 2, self.width)
        # On a CPU a look at the data is free and saves a pass over all levels; an accelerator would have to wait.
        self.may_branch = device.type == "cpu"
        self._window = torch.arange(self.reach, device=device)
        self._in_block = torch.arange(BLOCK, device=device)
        self._of_block = torch.arange(self.width // BLOCK, device=device)

    def empty_books(self, count: int) -> BookState:
        """N books without orders around the initial mid."""
        rows, device = 2 * count, self.device
        counts = torch.zeros((2, rows, self.width), dtype=torch.int32, device=device)
        sums = torch.zeros((2, rows, self.width // BLOCK), dtype=torch.int32, device=device)
        account = torch.zeros((2, count), dtype=torch.int64, device=device)
        mid = torch.full((count,), self.start, dtype=self.real, device=device)
        return BookState(counts[0], counts[1], sums[0], sums[1], mid, account[0], account[1])

    def best(self, s: BookState) -> Tensor:
        """Best index of every row [R], -1 where the row is empty: first the best block, then the level in it."""
        block = torch.where(s.blocks > 0, self._of_block, -1).amax(1)
        part = self._block(s.total, block.clamp(min=0))
        level = torch.where(part > 0, self._in_block, -1).amax(1)
        return torch.where(block >= 0, block * BLOCK + level, -1)

    def empty(self, s: BookState) -> Tensor:
        """Whether a side holds no shares, bool [N]."""
        bare, n = (s.blocks > 0).sum(1) == 0, s.mid.shape[0]
        return bare[:n] | bare[n:]

    def observe(self, s: BookState) -> tuple[Tensor, Tensor]:
        """(q_b, delta_b, q_a, delta_a) [N, 4] in shares and currency, zeros where a side is empty; and that [N]."""
        best = self.best(s)
        size = s.total.gather(1, best.clamp(min=0)[:, None])[:, 0].to(self.real)
        delta = (self.mids(s.mid) - best) * self.market.tick
        n = s.mid.shape[0]
        empty = (best[:n] < 0) | (best[n:] < 0)
        seen = torch.stack([size[:n], delta[:n], size[n:], delta[n:]], 1)
        return torch.where(empty[:, None], 0.0, seen), empty

    def of_others(self, s: BookState, seen: Tensor) -> Tensor:
        """`seen` [N, 4] with only the sizes that others show, unless the seeded shares are the maker's own."""
        if self.market.owner == "maker":
            return seen
        n = s.mid.shape[0]
        own = s.own.gather(1, self.best(s).clamp(min=0)[:, None])[:, 0]
        shown = seen.clone()
        shown[:, 0] = (seen[:, 0] - own[:n]).clamp(min=0)
        shown[:, 2] = (seen[:, 2] - own[n:]).clamp(min=0)
        return shown

    def quotes(self, s: BookState) -> tuple[Tensor, Tensor]:
        """Best bid and ask [N] in ticks above base; the mid where a side is empty."""
        best, n = self.best(s), s.mid.shape[0]
        bid = torch.where(best[:n] < 0, s.mid, best[:n].to(self.real))
        ask = torch.where(best[n:] < 0, s.mid, (self.width - 1 - best[n:]).to(self.real))
        return bid, ask

    def act(self, s: BookState, quote: Tensor, alive: Tensor) -> None:
        """The maker's orders (n_b, delta_b, n_a, delta_a) [N, 4] in shares and currency, the bid first."""
        for side in (0, 1):
            n, delta = quote[:, 2 * side].to(self.real), quote[:, 2 * side + 1].to(self.real)
            valid = (n.abs() >= 0.5) & ~delta.isnan() & alive
            shares = torch.floor(n.abs().nan_to_num(0.0).clamp(max=MAX_SHARES) + 0.5).to(torch.int32)
            ticks = (delta.nan_to_num(0.0).clamp(min=0.0) / self.market.tick).clamp(max=2.0 * self.levels)
            price = s.mid - ticks if side == 0 else s.mid + ticks
            if self.market.rounding == "nearest":
                level = torch.floor(price + 0.5).long()
            elif side == 0:  # the margin keeps 0.29 / 0.01 = 28.999... on its own tick
                level = torch.floor(price + 1e-7).long()
            else:
                level = torch.ceil(price - 1e-7).long()
            index = level if side == 0 else self.width - 1 - level
            self._cancel(s, side, torch.where(valid & (n < 0), shares, 0), index)
            inside = (level >= 0) & (level < self.levels)
            self._place(s, side, torch.where(valid & (n > 0) & inside, shares, 0), index)
            if self.market.crossed == "dropped":
                self._cross(s)

    def move(self, s: BookState, noise: Tensor, alive: Tensor) -> Tensor:
        """Move the mid by standard normal noise [N], settle crossed orders; rates [R] of market orders against
        each row: asks' rows are bought from."""
        noise = noise.clamp(-_SIGMAS, _SIGMAS)
        moved = (s.mid + (self.drift + self.scale * noise)).clamp(1.0, self.levels - 2.0)
        s.mid = torch.where(alive, moved, s.mid)
        # the lineage leaves the orders of a book alone once a side of it is empty
        self._cross(s, ~self.empty(s).repeat(2) if self.market.crossed == "dropped" else None)
        best = self.best(s)
        size = s.total.gather(1, best.clamp(min=0)[:, None])[:, 0].to(self.real)
        delta = ((self.mids(s.mid) - best) * self.market.tick).clamp(min=0.0)
        b = self.market.intensity
        x, y = torch.log1p(delta), torch.log1p(size).clamp(max=self.market.log_size_limit)
        power = b[0] + b[1] * x + b[2] * x * x + b[3] * y + b[4] * y * y + b[5] * torch.log1p(delta + size)
        rate = self.market.dt * torch.exp(power.clamp(max=18.0))
        return torch.where((best >= 0) & alive.repeat(2), rate, 0.0)

    def trade(self, s: BookState, counts: Tensor) -> None:
        """Market orders of counts [R] shares against each row: the best level only, or walking on."""
        counts = counts.clamp(max=2.0**30).to(torch.int32)
        n = s.mid.shape[0]
        if self.market.market_order == "walk":
            taken = best_first(s.total, counts, None)
            own = (taken - (s.total - s.own)).clamp(min=0)
            ticks = (own.long() * self._prices(n)).sum(1)
            s.total -= taken
            s.own -= own
            s.blocks -= taken.view(2 * n, -1, BLOCK).sum(2, dtype=torch.int32)
            s.own_blocks -= own.view(2 * n, -1, BLOCK).sum(2, dtype=torch.int32)
            self._settle(s, own.sum(1), ticks)
            return
        best = self.best(s)
        index = best.clamp(min=0)[:, None]
        total, own_here = s.total.gather(1, index)[:, 0], s.own.gather(1, index)[:, 0]
        taken = torch.minimum(counts, total)
        own = (taken - (total - own_here)).clamp(min=0)
        self._add(s, slice(None), index, -taken[:, None], -own[:, None])
        self._settle(s, own.long(), own.long() * self._price(index[:, 0], n))

    def mids(self, mid: Tensor) -> Tensor:
        """The mid as an index of every row [R]."""
        return torch.cat([mid, self.width - 1 - mid])

    def rows(self, s: BookState, side: int) -> slice:
        n = s.mid.shape[0]
        return slice(side * n, side * n + n)

    def _block(self, levels: Tensor, block: Tensor) -> Tensor:
        """One block of 64 levels of every row [R, 64]."""
        return levels.gather(1, block[:, None] * BLOCK + self._in_block)

    def _price(self, index: Tensor, n: int) -> Tensor:
        """Prices in ticks of one index a row [R]."""
        return torch.cat([index[:n], self.width - 1 - index[n:]]) + self.base

    def _prices(self, n: int) -> Tensor:
        """Prices in ticks of all levels [R, L]."""
        level = torch.arange(self.width, device=self.device)
        both = torch.stack([level, self.width - 1 - level]) + self.base
        return both.repeat_interleave(n, 0)

    def _add(self, s: BookState, rows: slice, index: Tensor, total: Tensor, own: Tensor) -> None:
        """Add shares [rows, K] at indices [rows, K]."""
        block = index // BLOCK
        s.total[rows].scatter_add_(1, index, total)
        s.own[rows].scatter_add_(1, index, own)
        s.blocks[rows].scatter_add_(1, block, total)
        s.own_blocks[rows].scatter_add_(1, block, own)

    def _settle(self, s: BookState, own: Tensor, ticks: Tensor) -> None:
        """The maker's resting shares [R] are filled for cash [R]: it buys with bids and sells with asks."""
        n = s.mid.shape[0]
        s.inventory = s.inventory + own[:n] - own[n:]
        s.cash = s.cash - ticks[:n] + ticks[n:]

    def _place(self, s: BookState, side: int, shares: Tensor, index: Tensor) -> None:
        """Orders of shares [N] at indices [N]. The mid keeps the sides apart: an order can meet one level at most."""
        here, there = self.rows(s, side), self.rows(s, 1 - side)
        at = index.clamp(0, self.width - 1)[:, None]
        across = self.width - 1 - at
        total, own = s.total[there].gather(1, across)[:, 0], s.own[there].gather(1, across)[:, 0]
        met = torch.minimum(shares, total)
        others = torch.minimum(met, total - own)
        self._add(s, there, across, -met[:, None], (others - met)[:, None])
        rest = (shares - met)[:, None]
        self._add(s, here, at, rest, rest)
        sign = 1 - 2 * side
        price = (at if side == 0 else across)[:, 0] + self.base
        s.inventory = s.inventory + sign * others
        s.cash = s.cash - sign * others.long() * price

    def _cancel(self, s: BookState, side: int, shares: Tensor, limit: Tensor) -> None:
        """Withdraw up to shares [N] of the maker's own, best first and no further than index `limit` [N]."""
        rows = self.rows(s, side)
        total, own = s.total[rows], s.own[rows]
        blocks, own_blocks = s.blocks[rows], s.own_blocks[rows]
        n = shares.shape[0]
        upto = own_blocks.flip(1).cumsum(1).flip(1)  # own shares in this block and in better ones
        whole = (upto <= shares[:, None]) & (self._of_block > (limit // BLOCK)[:, None])
        whole &= (shares > 0)[:, None]
        # whole blocks are a run from the best end; the first block after it is given up in part
        last = self._of_block.shape[0] - 1 - whole.sum(1)
        gone = torch.where(whole, own_blocks, 0)
        left = shares - gone.sum(1, dtype=torch.int32)
        part = self._block(own, last.clamp(min=0))
        index = last.clamp(min=0)[:, None] * BLOCK + self._in_block
        allowed = (index >= limit[:, None]) & (last >= 0)[:, None]
        taken = best_first(part, left, allowed)
        if not self.may_branch or bool((gone > 0).any()):
            cleared = (own.view(n, -1, BLOCK) * whole[:, :, None]).view(n, -1)
            total -= cleared
            own -= cleared
            blocks -= gone
            own_blocks -= gone
        self._add(s, rows, index, -taken, -taken)

    def _cross(self, s: BookState, allowed: Tensor | None = None) -> None:
        """Orders that the mid has passed: the maker's are filled at their limit, or all are dropped (lineage)."""
        n = s.mid.shape[0]
        index = torch.floor(self.mids(s.mid)).long()[:, None] + 1 + self._window
        inside = index < self.width
        if allowed is not None:
            inside &= allowed[:, None]
        index = index.clamp(max=self.width - 1)
        total = torch.where(inside, s.total.gather(1, index), 0)
        own = torch.where(inside, s.own.gather(1, index), 0)
        self._add(s, slice(None), index, -total, -own)
        if self.market.crossed == "filled":
            level = torch.cat([index[:n], self.width - 1 - index[n:]]) + self.base
            self._settle(s, own.sum(1), (own.long() * level).sum(1))
        if self.market.exhausted == "refilled":
            bare = (total.sum(1) > 0) & (s.blocks.sum(1) == 0)
            shares = torch.where(bare, REFILL, 0).to(torch.int32)[:, None]
            near = torch.floor(s.mid + 0.5).long()
            at = torch.cat([near - 1, self.width - 1 - (near + 1)])[:, None]
            self._add(s, slice(None), at, shares, shares if self.market.owner == "maker" else shares * 0)


def best_first(levels: Tensor, shares: Tensor, allowed: Tensor | None) -> Tensor:
    """How many of the levels' shares [R, K] an order of shares [R] takes, the highest index first."""
    open_ = levels if allowed is None else torch.where(allowed, levels, 0)
    upto = open_.flip(1).cumsum(1, dtype=torch.int32).flip(1)
    return torch.minimum((shares[:, None] - (upto - open_)).clamp(min=0), open_).to(torch.int32)
