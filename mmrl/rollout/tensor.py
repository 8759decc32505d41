"""The tensor engine: N trajectories side by side as torch operations, on cuda, mps or cpu.

No step waits for the host: dead trajectories go on with orders of no shares, records have room for all T steps
and the live rows are packed into CSR once at the end. Shapes: N trajectories, T steps, A action dimensions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmrl.kernels.tensor_random import device_generator, poisson
from mmrl.markets.avellaneda_stoikov.tensor import TensorGame
from mmrl.markets.book.tensor import TensorBook
from mmrl.markets.book.tensor_seeding import seed_books
from mmrl.rollout.devices import beyond_tensors
from mmrl.rollout.tensor_maker import Player
from mmrl.rollout.tensor_records import Record, Records
from mmrl.rollout.tensor_rewards import rewards
from mmrl.rollout.trajectories import Trajectories

_LOOK_EVERY = 512  # steps between looks whether any trajectory is alive


class TensorEngine:
    """Rollouts of the market of a config on a device."""

    def __init__(self, config: Any, device: str | torch.device = "cpu") -> None:
        self.config, self.device = config, torch.device(device)
        if beyond_tensors(config.market):
            raise ValueError(beyond_tensors(config.market))

    @torch.no_grad()
    def rollout(self, policy: Any, normaliser: Any, seed: int, epoch: int, count: int | None = None) -> Trajectories:
        """Simulate `count` trajectories of (seed, epoch) with a policy module or a Quoter that does not learn.

        Tensors of the batch lie on the device; on mps, which has no float64, on the host.
        """
        wanted: int = self.config.training.nb if count is None else count
        run = self.start(policy, normaliser, seed, epoch, wanted)
        for t in range(self.config.market.nt):
            if t > 0 and t % _LOOK_EVERY == 0 and run.all_over():
                break
            run.step(t)
        return run.finish()

    def start(self, policy: Any, normaliser: Any, seed: int, epoch: int, count: int) -> BookRun | GameRun:
        """The rollout before its first step."""
        generator = device_generator(self.device, seed, epoch)
        player = Player(self.config, policy, normaliser, generator, self.device)
        if self.config.market.name == "book":
            return BookRun(self.config, player, generator, count, self.device)
        return GameRun(self.config, player, generator, count, self.device)


class BookRun:
    """N trajectories of the book market in progress."""

    def __init__(
        self, config: Any, player: Player, generator: torch.Generator, count: int, device: torch.device
    ) -> None:
        self.config, self.player, self.generator = config, player, generator
        self.law = TensorBook(config.market, device)
        self.state = seed_books(self.law, count, generator)
        self.records = Records(config.market.nt, device)
        self.over = torch.zeros(count, dtype=torch.bool, device=device)
        self._noise = torch.empty(count, dtype=self.law.real, device=device)
        self._history = torch.zeros((count, 4 * config.market.n_obs), dtype=torch.float32, device=device)
        self._seen, _, self._observation = self._look(0)

    def step(self, t: int) -> None:
        """Step t of every trajectory that is not over: quote, trade, record and look at what has become of it."""
        market, law, s = self.config.market, self.law, self.state
        alive = ~self.over
        discard = market.emptying_step == "discarded" and not market.uniform
        # a maker who mirrored its own shares would grow without bound
        seen = law.of_others(s, self._seen) if self.player.kind == "naive" else self._seen
        action, quote, log_prob = self.player.quote(self._observation, seen, t, s.inventory)
        record = {
            "observation": self._observation,
            "action": action,
            "log_prob": log_prob,
            "mid": s.mid,
            "cash": s.cash,
            "inventory": s.inventory,
        }
        law.act(s, quote, alive)
        record["bid"], record["ask"] = law.quotes(s)
        going = alive & ~law.empty(s) if discard else alive
        self._noise.normal_(generator=self.generator)
        law.trade(s, poisson(law.move(s, self._noise, going), self.generator))
        if discard:
            going = going & ~law.empty(s)
            s.cash = torch.where(going, s.cash, record["cash"])
            s.inventory = torch.where(going, s.inventory, record["inventory"])
        record["live"] = going
        self.records.write(record)
        if not market.uniform:
            self.over = ~going
        self._seen, empty, observation = self._look(t + 1)
        # the observation after a trajectory's last step; a discarded step leaves the one before
        self._observation = torch.where(self.over[:, None], self._observation, observation)
        if not market.uniform:
            self.over = self.over | empty

    def _look(self, t: int) -> tuple[Tensor, Tensor, Tensor]:
        """What is seen of the touch before step t [N, 4], whether a side is empty [N], the observation [N, obs]."""
        market, law, s = self.config.market, self.law, self.state
        seen, empty = law.observe(s)
        shown = torch.cat([seen.float(), self._history[:, : 4 * (market.n_obs - 1)]], 1)
        self._history = torch.where(self.over[:, None], self._history, shown)
        columns = [self._history, torch.full_like(shown[:, :1], (market.nt - t) / market.nt)]
        if market.observation != "state":
            columns.append(s.inventory[:, None].float())
        if market.observation == "full":
            moved = ((s.mid - law.start) * market.tick)[:, None].float()
            columns += [moved, (s.cash * market.tick)[:, None].float()]
        return seen, empty, self.player.normalise(torch.cat(columns, 1))

    def all_over(self) -> bool:
        """Whether every trajectory has ended: a wait for the device, worth one every few hundred steps."""
        return bool(self.over.all())

    def finish(self) -> Trajectories:
        """The batch of all steps taken."""
        tick, base, s = self.config.market.tick, self.law.base, self.state
        rows, offsets = self.records.pack()
        for name in ("mid", "bid", "ask"):
            rows[name] = (rows[name].double() + base) * tick
        rows["wealth"] = rows.pop("cash").double() * tick
        mid, wealth = (_host_double(s.mid) + base) * tick, _host_double(s.cash) * tick
        return _batch(self.config, rows, offsets, mid, wealth, s.inventory, self.over, self._observation)


class GameRun:
    """N trajectories of the game of Avellaneda & Stoikov in progress."""

    def __init__(
        self, config: Any, player: Player, generator: torch.Generator, count: int, device: torch.device
    ) -> None:
        self.config, self.player, self.generator = config, player, generator
        self.law = TensorGame(config.market, device)
        self.state = self.law.start(count)
        self.records = Records(config.market.nt, device)
        self._alive = torch.ones(count, dtype=torch.bool, device=device)
        self._uniform = torch.empty((count, 3), dtype=self.law.real, device=device)

    def step(self, t: int) -> None:
        """Step t of every trajectory: quote, record, fills and the move of the mid."""
        s, uniform = self.state, self._uniform
        observation = self._look(t)
        action, quote, log_prob = self.player.quote(observation, None, t, s.inventory)
        uniform.uniform_(generator=self.generator)
        record = {
            "live": self._alive,
            "observation": observation,
            "action": action,
            "log_prob": log_prob,
            "mid": s.mid,
            "bid": s.mid - quote[:, 0],
            "ask": s.mid + quote[:, 1],
            "wealth": s.wealth,
            "inventory": s.inventory,
        }
        self.records.write(record)
        self.law.step(s, quote, uniform[:, :2], uniform[:, 2] < 0.5)

    def _look(self, t: int) -> Tensor:
        q = self.state.inventory.float()
        left = (self.config.market.nt - t) / self.config.market.nt
        return self.player.normalise(torch.stack([q, torch.full_like(q, left)], 1))

    def all_over(self) -> bool:
        """No game ends before its time."""
        return False

    def finish(self) -> Trajectories:
        """The batch of all steps taken."""
        s = self.state
        rows, offsets = self.records.pack()
        for name in ("mid", "bid", "ask", "wealth"):
            rows[name] = rows[name].double()
        mid, wealth, last = _host_double(s.mid), _host_double(s.wealth), self._look(self.config.market.nt)
        return _batch(self.config, rows, offsets, mid, wealth, s.inventory, ~self._alive, last)


def _batch(
    config: Any,
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
    rows["value"] = rows["wealth"] + rows["inventory"] * rows["mid"]
    rows["reward"] = rewards(config, rows, offsets, value, wealth, mid, inventory, over)
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


def _host_double(x: Tensor) -> Tensor:
    return (x.cpu() if x.device.type == "mps" else x).double()
