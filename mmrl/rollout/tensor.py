"""The tensor engine: N trajectories side by side as torch operations, on cuda, mps or cpu.

No step waits for the host: dead trajectories go on with orders of no shares, records have room for all T steps
and the live rows are packed into CSR once at the end. Shapes: N trajectories, T steps, A action dimensions.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from mmrl.kernels.tensor_random import device_generator
from mmrl.markets.contract import market_of, spec_of
from mmrl.rollout.devices import require_tensors
from mmrl.rollout.tensor_maker import TensorMaker
from mmrl.rollout.tensor_records import Record, Records
from mmrl.rollout.tensor_rewards import rewards
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.model import Config

_LOOK_EVERY = 512  # steps between looks whether any trajectory is alive
STANDING = ("time", "cash", "inventory", "mid")
FLOWS = ("bid", "ask", "bought", "sold", "paid", "received")


class TensorMarket(Protocol):
    """A market's law as tensor operations: `TensorMarket(settings, device)` in its tensor.py. A state is its own."""

    real: torch.dtype

    def reset(self, count: int, generator: torch.Generator) -> Any:
        """N trajectories at their start."""

    def observe(self, s: Any, t: int, over: Tensor) -> Tensor:
        """Raw observations float32 [N, obs] before step t; what is remembered of trajectories that are over stays."""

    def heuristic(self, s: Any, generator: torch.Generator) -> Tensor:
        """Quotes [N, A] of the market's own simple maker."""

    def act(self, s: Any, quote: Tensor, alive: Tensor) -> None:
        """The maker's orders [N, A] in market units."""

    def advance(self, s: Any, generator: torch.Generator, alive: Tensor) -> Tensor:
        """The market's answer; which steps count [N]."""

    def ended(self, s: Any) -> Tensor:
        """Whether the market has terminated the episode [N]."""

    def standing(self, s: Any) -> Record:
        """Time, cash, inventory and mid [N], in the market's own units."""

    def flows(self, s: Any) -> Record:
        """Bid and ask as quoted, what the step has bought, sold, paid and received, its length (`elapsed`), and what
        `in_currency` needs for the revaluation."""

    def in_currency(self, rows: Record) -> Record:
        """Columns of the two above in currency, float64, with `revaluation`."""


class TensorEngine:
    """Rollouts of the market of a config on a device."""

    def __init__(self, config: Config, device: str | torch.device = "cpu") -> None:
        require_tensors(config)
        self.config, self.device = config, torch.device(device)

    @torch.no_grad()
    def rollout(self, policy: Any, normaliser: Any, seed: int, epoch: int, count: int | None = None) -> Trajectories:
        """Simulate `count` trajectories of (seed, epoch) with a policy module or a Quoter that is not learned.

        Tensors of the batch lie on the device; on mps, which has no float64, on the host.
        """
        wanted: int = self.config.training.nb if count is None else count
        run = self.start(policy, normaliser, seed, epoch, wanted)
        for t in range(self.config.market.nt):
            if t > 0 and t % _LOOK_EVERY == 0 and run.all_over():
                break
            run.step(t)
        return run.finish()

    def start(self, policy: Any, normaliser: Any, seed: int, epoch: int, count: int) -> TensorRun:
        """The rollout before its first step."""
        generator = device_generator(self.device, seed, epoch)
        maker = TensorMaker(spec_of(self.config), policy, normaliser, generator, self.device)
        return TensorRun(self.config, maker, generator, count, self.device)


class TensorRun:
    """N trajectories in progress."""

    def __init__(
        self, config: Config, maker: TensorMaker, generator: torch.Generator, count: int, device: torch.device
    ) -> None:
        self.config, self.maker, self.generator = config, maker, generator
        self.market: TensorMarket = market_of(config).tensor(config.market, device)
        self.state = self.market.reset(count, generator)
        self.records = Records(config.market.nt, device)
        self.over = torch.zeros(count, dtype=torch.bool, device=device)
        self._observation = maker.normalise(self.market.observe(self.state, 0, self.over))

    def step(self, t: int) -> None:
        """Step t of every trajectory that is not over: quote, trade, record and look at what has become of it."""
        market, s = self.market, self.state
        alive = ~self.over
        heuristic = market.heuristic(s, self.generator) if self.maker.kind == "heuristic" else None
        standing = market.standing(s)
        action, quote, log_prob = self.maker.quote(self._observation, heuristic, t, standing["inventory"])
        record = {"observation": self._observation, "action": action, "log_prob": log_prob, **standing}
        market.act(s, quote, alive)
        record["live"] = live = market.advance(s, self.generator, alive)
        self.records.write(record | market.flows(s))
        self.over = ~live
        # the observation after a trajectory's last step; a discarded step leaves the one before
        observation = self.maker.normalise(market.observe(s, t + 1, self.over))
        self._observation = torch.where(self.over[:, None], self._observation, observation)
        self.over = self.over | market.ended(s)

    def all_over(self) -> bool:
        """Whether every trajectory has ended: a wait for the device, worth one every few hundred steps."""
        return bool(self.over.all())

    def finish(self) -> Trajectories:
        """The batch of all steps taken."""
        rows, offsets = self.records.pack()
        where = offsets.device
        rows = self.market.in_currency(rows)
        end = self.market.in_currency({name: x.to(where) for name, x in self.market.standing(self.state).items()})
        for columns in (rows, end):
            columns["value"] = columns["cash"] + columns["inventory"] * columns["mid"]
        end["time"] = _end_times(rows, offsets)
        over = self.over.to(where)
        rows["reward"] = rewards(self.config, rows, offsets, end, over)
        del rows["elapsed"], rows["value"]
        for name in ("inventory", "bought", "sold"):
            rows[name] = rows[name].int()
        whole: dict[str, Any] = {
            "offsets": offsets,
            **rows,
            "final_time": end["time"],
            "final_value": end["value"],
            "final_cash": end["cash"],
            "final_inventory": end["inventory"].int(),
            "final_mid": end["mid"],
            "terminated": over,
            "last_observation": self._observation.to(where),
        }
        return Trajectories(**whole)


def _end_times(rows: Record, offsets: Tensor) -> Tensor:
    """When the last step of each trajectory [N] was over: the clock of the state runs on for those that have ended."""
    filled = offsets[1:] > offsets[:-1]
    last = (offsets[1:] - 1)[filled]
    times = torch.zeros(len(filled), dtype=rows["time"].dtype, device=offsets.device)
    times[filled] = rows["time"][last] + rows["elapsed"][last]
    return times
