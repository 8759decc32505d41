"""The tensor engine: N trajectories side by side as torch operations, on cuda, mps or cpu.

No step waits for the host: dead trajectories go on with orders of no shares, records have room for all T steps
and the live rows are packed into CSR once at the end. Shapes: N trajectories, T steps, A action dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.rollout.quoters import Quoter
from mmrl.rollout.tensor_avellaneda_stoikov import TensorGame
from mmrl.rollout.tensor_book import TensorBook, refuse_unsupported
from mmrl.rollout.tensor_random import device_generator, poisson
from mmrl.rollout.trajectories import Trajectories

_LOOK_EVERY = 512  # steps between looks whether any trajectory is alive
Record = dict[str, Tensor]


class TensorEngine:
    """Rollouts of the market of a config on a device."""

    def __init__(self, config: Any, device: str | torch.device = "cpu") -> None:
        self.config, self.device = config, torch.device(device)
        if config.market.name == "book":
            refuse_unsupported(config.market)

    @torch.no_grad()
    def rollout(self, policy: Any, normaliser: Any, seed: int, epoch: int, count: int | None = None) -> Trajectories:
        """Simulate `count` trajectories of (seed, epoch) with a policy module or a Quoter that does not learn.

        Tensors of the batch lie on the device; on mps, which has no float64, on the host.
        """
        wanted: int = self.config.training.nb if count is None else count
        generator = device_generator(self.device, seed, epoch)
        player = _Player(self.config, policy, normaliser, generator, self.device)
        roll = self._book if self.config.market.name == "book" else self._game
        return roll(player, generator, wanted)

    def _book(self, player: _Player, generator: torch.Generator, count: int) -> Trajectories:
        market = self.config.market
        law = TensorBook(market, self.device)

        def draw(rate: Tensor) -> Tensor:
            return poisson(rate, generator)

        s = law.seed(count, generator, draw)
        noise = torch.empty(count, dtype=law.real, device=self.device)
        over = torch.zeros(count, dtype=torch.bool, device=self.device)
        history = torch.zeros((count, 4 * market.n_obs), dtype=torch.float32, device=self.device)
        records: list[Record] = []
        last: Tensor | None = None
        for t in range(market.nt + 1):
            seen, empty = law.observe(s)
            history = torch.where(
                over[:, None], history, torch.cat([seen.float(), history[:, : 4 * (market.n_obs - 1)]], 1)
            )
            raw = self._raw_book(law, s, history, t)
            observation = player.normalise(raw)
            # the observation after a trajectory's last step; a discarded step leaves the one before
            last = observation if last is None else torch.where(over[:, None], last, observation)
            if t > 0 and not market.uniform:  # even a book seeded with an empty side has its first step
                over = over | empty
            if t == market.nt or (t > 0 and t % _LOOK_EVERY == 0 and bool(over.all())):
                break
            records.append(book_step(law, s, player, observation, seen, ~over, noise, draw))
            live = records[-1]["live"]
            over = ~live if market.uniform is False else over
        assert last is not None
        return self._pack_book(law, s, records, over, last)

    def _raw_book(self, law: TensorBook, s: Any, history: Tensor, t: int) -> Tensor:
        nt, tick = self.config.market.nt, self.config.market.tick
        left = torch.full_like(history[:, :1], (nt - t) / nt)
        columns = [history, left]
        if self.config.market.observation == "inventory":
            columns.append(s.inventory[:, None].float())
        elif self.config.market.observation == "full":
            moved = ((s.mid - law.start) * tick)[:, None].float()
            columns += [s.inventory[:, None].float(), moved, (s.cash * tick)[:, None].float()]
        return torch.cat(columns, 1)

    def _pack_book(self, law: TensorBook, s: Any, records: list[Record], over: Tensor, last: Tensor) -> Trajectories:
        tick, base = self.config.market.tick, law.base
        rows, offsets = _packed(records, s.mid.shape[0], self.device)
        for name in ("mid", "bid", "ask"):
            rows[name] = (rows[name].double() + base) * tick
        rows["wealth"] = rows.pop("cash").double() * tick
        rows["value"] = rows["wealth"] + rows["inventory"] * rows["mid"]
        mid = (_host_double(s.mid) + base) * tick
        wealth = _host_double(s.cash) * tick
        return self._finish(rows, offsets, mid, wealth, s.inventory, over, last)

    def _game(self, player: _Player, generator: torch.Generator, count: int) -> Trajectories:
        law = TensorGame(self.config.market, self.device)
        nt, s = self.config.market.nt, law.start(count)
        alive = torch.ones(count, dtype=torch.bool, device=self.device)
        uniform = torch.empty((count, 3), dtype=law.real, device=self.device)
        records: list[Record] = []
        for t in range(nt):
            observation = player.normalise(_raw_game(s, (nt - t) / nt))
            action, quote, log_prob = player.quote(observation, None, t, s.inventory)
            uniform.uniform_(generator=generator)
            record = {
                "live": alive,
                "observation": observation,
                "action": action,
                "log_prob": log_prob,
                "mid": s.mid,
                "bid": s.mid - quote[:, 0],
                "ask": s.mid + quote[:, 1],
                "wealth": s.wealth,
                "inventory": s.inventory,
            }
            records.append(record)
            law.step(s, quote, uniform[:, :2], uniform[:, 2] < 0.5)
        last = player.normalise(_raw_game(s, 0.0))
        rows, offsets = _packed(records, count, self.device)
        for name in ("mid", "bid", "ask", "wealth"):
            rows[name] = rows[name].double()
        rows["value"] = rows["wealth"] + rows["inventory"] * rows["mid"]
        mid, wealth = _host_double(s.mid), _host_double(s.wealth)
        return self._finish(rows, offsets, mid, wealth, s.inventory, ~alive, last)

    def _finish(
        self,
        rows: Record,
        offsets: Tensor,
        mid: Tensor,
        wealth: Tensor,
        inventory: Tensor,
        over: Tensor,
        last: Tensor,
    ) -> Trajectories:
        where = offsets.device
        inventory, over, last = inventory.to(where), over.to(where), last.to(where)
        value = wealth + inventory * mid
        rows["reward"] = rewards(self.config, rows, offsets, value, wealth, inventory, over)
        rows["inventory"] = rows["inventory"].int()
        return Trajectories(
            offsets=offsets,
            **rows,
            final_value=value,
            final_wealth=wealth,
            final_inventory=inventory.int(),
            final_mid=mid,
            terminated=over,
            last_observation=last,
        )


def book_step(
    law: TensorBook,
    s: Any,
    player: _Player,
    observation: Tensor,
    seen: Tensor,
    alive: Tensor,
    noise: Tensor,
    draw: Any,
) -> Record:
    """One step of N books with all its random draws; returns its record, `live` False where it did not happen."""
    discard = law.market.emptying_step == "discarded" and not law.market.uniform
    if player.kind == "naive":  # a maker who mirrored its own shares would grow without bound
        seen = law.of_others(s, seen)
    action, quote, log_prob = player.quote(observation, seen, 0, s.inventory)
    record = {
        "observation": observation,
        "action": action,
        "log_prob": log_prob,
        "mid": s.mid,
        "cash": s.cash,
        "inventory": s.inventory,
    }
    law.act(s, quote, alive)
    record["bid"], record["ask"] = law.quotes(s)
    going = alive & ~law.empty(s) if discard else alive
    noise.normal_(generator=player.generator)
    law.trade(s, draw(law.move(s, noise, going)))
    if discard:
        going = going & ~law.empty(s)
        s.cash = torch.where(going, s.cash, record["cash"])
        s.inventory = torch.where(going, s.inventory, record["inventory"])
    record["live"] = going
    return record


class _Player:
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
        delta = (p.delta_centre, p.delta_scale) if book else (p.as_delta_centre, p.as_delta_scale)
        rows = [(p.size_centre, p.size_scale), delta] * 2 if book else [delta] * 2
        self.centre, self.scale = tensor(rows).T
        grid = [float(x) for x in p.delta_grid]
        self.grids = [tensor(g) for g in ([[float(x) for x in p.size_grid], grid] * 2 if book else [grid] * 2)]
        self.kind = policy.kind if isinstance(policy, Quoter) else "learned"
        if isinstance(policy, Quoter):
            if self.kind == "learned" or self.kind == ("table" if book else "naive"):
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
                return action, self.centre + self.scale * action.to(self.real), log_prob
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
            quote = self.table[t][inventory.clamp(-reach, reach) + reach]
        return quote.float(), quote, torch.zeros_like(observation[:, 0])


def rewards(
    config: Any,
    rows: Record,
    offsets: Tensor,
    value: Tensor,
    wealth: Tensor,
    inventory: Tensor,
    over: Tensor,
) -> Tensor:
    """Reward [nnz] of packed rows, given final value, wealth and inventory [N]: MARKETS.md's list of rewards."""
    reward, market = config.reward, config.market
    dt, total = market.step_length, market.end_time
    ends = offsets[1:] - 1
    filled = offsets[1:] > offsets[:-1]

    def after(name: str, final: Tensor) -> Tensor:
        following = torch.cat([rows[name][1:], rows[name][:1]])
        following[ends[filled]] = final[filled].to(following.dtype)
        return following

    held = after("inventory", inventory)
    time = rows["step"].double() * dt
    out = torch.zeros_like(rows["wealth"])
    if reward.immediate == "wealth":
        midprice = market.midprice if market.name == "book" else market.as_midprice
        out += (after("wealth", wealth) - rows["wealth"]) / (midprice * market.max_dw)
    elif reward.immediate == "pnl":
        out += after("value", value) - rows["value"]
    out -= reward.inventory_penalty * dt * held.double() ** 2
    if reward.add_inventory:
        out += torch.exp(-10.0 / total * (total - time)) * torch.sign(held - rows["inventory"])
    if reward.add_time:
        out += time / total
    if reward.final != "none":
        final = value
        if reward.final == "cara":
            final = reward.cara_alpha - torch.exp((-reward.risk_aversion * value).clamp(max=600.0))
        due = filled if reward.always_final else filled & ~over
        out[ends[due]] += final[due]
    return out


def _raw_game(s: Any, left: float) -> Tensor:
    q = s.inventory.float()
    return torch.stack([q, torch.full_like(q, left)], 1)


def _host_double(x: Tensor) -> Tensor:
    return (x.cpu() if x.device.type == "mps" else x).double()


def _packed(records: list[Record], count: int, device: torch.device) -> tuple[Record, Tensor]:
    """The live rows of all steps, trajectory after trajectory, and their offsets [N + 1]."""
    where = torch.device("cpu") if device.type == "mps" else device
    live = torch.stack([r["live"] for r in records], 1).to(where)
    trajectory, step = live.nonzero(as_tuple=True)
    rows: Record = {"step": step.int()}
    for name in [key for key in records[0] if key != "live"]:
        column = torch.stack([r.pop(name) for r in records], 1).to(where)
        rows[name] = column[trajectory, step]
    offsets = torch.cat([live.new_zeros(1, dtype=torch.int64), live.sum(1).cumsum(0)])
    return rows, offsets
