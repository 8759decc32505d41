"""The `book` market as batched tensor operations: N books at once, no loop over them, no host round trip.

Both sides share one layout: row n holds the bids of book n, row N + n its asks mirrored (index L - 1 - level),
so that a higher index is a better price on either side. Two counters a level, all shares and the maker's own,
are enough under time priority because others' shares are seeded first and so always stand in front.
Shapes: N books, R = 2 N rows, L levels in blocks of 64. Lengths are ticks above `base`, times are steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmrl.kernels.tensor_devices import real_type
from mmrl.kernels.tensor_random import poisson
from mmrl.markets.book.settings import Settings
from mmrl.markets.book.tensor_seeding import seed_books
from mmrl.markets.book.tensor_state import (
    BLOCK,
    BOUGHT,
    INVENTORY,
    MAX_SHARES,
    PAID,
    RECEIVED,
    REFILL,
    SIGMAS,
    SOLD,
    BookState,
    Record,
    best_first,
)


class TensorMarket:
    """The maker's action, the move of the mid, market orders; all numbers of the rules."""

    def __init__(self, market: Settings, device: torch.device) -> None:
        self.market, self.device = market, device
        self.real = real_type(device)
        half = math.ceil(market.half_ladder) + 10
        self.start = market.midprice / market.tick
        self.base = math.floor(self.start) - half
        self.start -= self.base
        self.levels = 2 * half + 1
        self.width = -(-self.levels // BLOCK) * BLOCK
        self.drift = market.drift * market.dt / market.tick
        self.scale = market.volatility * market.dt**0.5 / market.tick
        # After a step no bid stands above the mid, so only what the mid passes in one step can be crossed.
        self.reach = min(math.ceil(abs(self.drift) + SIGMAS * self.scale) + 2, self.width)
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
        account = torch.zeros((6, count), dtype=torch.int64, device=device)
        mid = torch.full((count,), self.start, dtype=self.real, device=device)
        history = torch.zeros((count, 4 * self.market.n_obs), dtype=torch.float32, device=device)
        seen = torch.zeros((count, 4), dtype=self.real, device=device)
        noise = torch.empty(count, dtype=self.real, device=device)
        return BookState(*counts, *sums, mid, account, noise, history, seen, mid, account[INVENTORY], mid, mid)

    def reset(self, count: int, generator: torch.Generator) -> BookState:
        return seed_books(self, self.empty_books(count), generator)

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

    def ended(self, s: BookState) -> Tensor:
        return torch.zeros_like(self.empty(s)) if self.market.uniform else self.empty(s)

    def touch(self, s: BookState) -> Tensor:
        """(q_b, delta_b, q_a, delta_a) [N, 4] in shares and currency, zeros where a side is empty."""
        best = self.best(s)
        size = s.total.gather(1, best.clamp(min=0)[:, None])[:, 0].to(self.real)
        delta = (self.mids(s.mid) - best) * self.market.tick
        n = s.mid.shape[0]
        empty = (best[:n] < 0) | (best[n:] < 0)
        seen = torch.stack([size[:n], delta[:n], size[n:], delta[n:]], 1)
        return torch.where(empty[:, None], 0.0, seen)

    def observe(self, s: BookState, t: int, over: Tensor) -> Tensor:
        market = self.market
        s.seen = self.touch(s)
        shown = torch.cat([s.seen.float(), s.history[:, : 4 * (market.n_obs - 1)]], 1)
        s.history = torch.where(over[:, None], s.history, shown)
        columns = [s.history, torch.full_like(shown[:, :1], (market.nt - t) / market.nt)]
        if market.observation != "state":
            columns.append(s.inventory[:, None].float())
        if market.observation == "full":
            moved = ((s.mid - self.start) * market.tick)[:, None].float()
            columns += [moved, (s.cash * market.tick)[:, None].float()]
        return torch.cat(columns, 1)

    def heuristic(self, s: BookState, generator: torch.Generator) -> Tensor:
        """The lineage's naive maker: n ~ Poisson(3/4 q), delta ~ N(delta, delta/4) of what others show on each side."""
        seen = self.of_others(s, s.seen)
        shares = poisson(0.75 * seen[:, ::2], generator)
        noise = torch.empty_like(shares).normal_(generator=generator)
        delta = seen[:, 1::2] * (1.0 + 0.25 * noise)
        return torch.stack([shares[:, 0], delta[:, 0], shares[:, 1], delta[:, 1]], 1)

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
        s.account = s.account.clone()
        s.account[BOUGHT:] = 0
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
            self._cancel(s, side, shares * (valid & (n < 0)), index)
            inside = (level >= 0) & (level < self.levels)
            self._place(s, side, shares * (valid & (n > 0) & inside), index)
            if self.market.crossed == "dropped":
                self._cross(s)
        s.bid, s.ask = self.quotes(s)

    def advance(self, s: BookState, generator: torch.Generator, alive: Tensor) -> Tensor:
        discard = self.market.emptying_step == "discarded" and not self.market.uniform
        going = alive & ~self.empty(s) if discard else alive
        s.noise.normal_(generator=generator)
        self.trade(s, poisson(self.move(s, s.noise, going), generator))
        if discard:  # the step that empties the book leaves no trace in the account
            going = going & ~self.empty(s)
            cash = s.cash - s.account[RECEIVED] + s.account[PAID]
            inventory = s.inventory - s.account[BOUGHT] + s.account[SOLD]
            s.account = torch.where(going, s.account, torch.stack([cash, inventory, *s.account[2:]]))
        s.step += 1
        return going

    def standing(self, s: BookState) -> Record:
        time = torch.full_like(s.mid, s.step * self.market.dt)
        return {"time": time, "cash": s.cash, "inventory": s.inventory, "mid": s.mid}

    def flows(self, s: BookState) -> Record:
        names = ("bought", "sold", "paid", "received")
        flows = dict(zip(names, s.account[BOUGHT:], strict=True))
        elapsed = torch.full_like(s.mid, self.market.dt)
        seen = {"bid": s.bid, "ask": s.ask, "exposed": s.exposed, "mid_after": s.mid}
        return {**flows, **seen, "elapsed": elapsed}

    def in_currency(self, rows: Record) -> Record:
        """Ticks above `base` and ticks become currency; the one place where prices leave the ladder."""
        tick = self.market.tick
        rows = dict(rows)
        for name in ("mid", "bid", "ask", "mid_after"):
            if name in rows:
                rows[name] = (rows[name].double() + self.base) * tick
        for name in ("cash", "paid", "received"):
            if name in rows:
                rows[name] = rows[name].double() * tick
        for name in ("time", "elapsed"):
            if name in rows:
                rows[name] = rows[name].double()
        if "exposed" in rows:
            rows["revaluation"] = rows.pop("exposed") * (rows.pop("mid_after") - rows["mid"])
        return rows

    def move(self, s: BookState, noise: Tensor, alive: Tensor) -> Tensor:
        """Move the mid by standard normal noise [N], settle crossed orders; rates [R] of market orders against
        each row: asks' rows are bought from."""
        noise = noise.clamp(-SIGMAS, SIGMAS)
        moved = (s.mid + (self.drift + self.scale * noise)).clamp(1.0, self.levels - 2.0)
        s.before, s.exposed = s.mid, s.inventory
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
        self._pay(s, own[:n], ticks[:n], own[n:], ticks[n:])

    def _pay(self, s: BookState, bought: Tensor, paid: Tensor, sold: Tensor, received: Tensor) -> None:
        """Shares [N] and ticks [N] that change hands."""
        changes = (received - paid, bought - sold, bought, sold, paid, received)
        s.account = s.account + torch.stack([x.long() for x in changes])

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
        ticks = others.long() * ((at if side == 0 else across)[:, 0] + self.base)
        nothing = torch.zeros_like(ticks)
        self._pay(s, *((others, ticks, nothing, nothing) if side == 0 else (nothing, nothing, others, ticks)))

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
        gone = own_blocks * whole
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
        total = s.total.gather(1, index) * inside
        own = s.own.gather(1, index) * inside
        self._add(s, slice(None), index, -total, -own)
        if self.market.crossed == "filled":
            level = torch.cat([index[:n], self.width - 1 - index[n:]]) + self.base
            self._settle(s, own.sum(1), (own.long() * level).sum(1))
        if self.market.exhausted == "refilled":
            bare = (total.sum(1) > 0) & (s.blocks.sum(1) == 0)
            shares = (bare * REFILL).to(torch.int32)[:, None]
            near = torch.floor(s.mid + 0.5).long()
            at = torch.cat([near - 1, self.width - 1 - (near + 1)])[:, None]
            self._add(s, slice(None), at, shares, shares if self.market.owner == "maker" else shares * 0)
